"""All secrets of an installation in one file, encrypted with Fernet (AES-128-CBC and HMAC-SHA256), keys in another.

The newest key encrypts, every key in the file decrypts, so keys are rotated by putting a new one in front.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypedDict

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from airside.config.private_files import create_private, read_private, write_private
from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.lease import Document
from airside.secrets.store import down, missing, version_of
from airside.secrets.stores.file import read_bounded

FILE_BYTES_MAX: Final = 16_777_216


class _Content(TypedDict):
    secrets: dict[str, Any]
    previous: dict[str, Any]


class EncryptedStore:
    """`Store` for `kind: encrypted`. What was replaced last is kept under `previous`."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        if settings.file is None or settings.key_file is None:
            raise AirsideError(
                Code.MISCONFIGURED, f"secrets.stores.{name}: the kind `encrypted` needs `file` and `key_file`"
            )
        self._name = name
        self._file = settings.file
        self._key_file = settings.key_file

    async def fetch(self, name: str) -> Document:
        """Return what is kept under a name."""
        return self._document(name, (await asyncio.to_thread(self._read))["secrets"])

    async def others(self, name: str) -> Sequence[Document]:
        """Return what stood there before the last `put`."""
        try:
            return [self._document(name, (await asyncio.to_thread(self._read))["previous"])]
        except AirsideError:
            return ()

    async def renew(self, document: Document) -> Document | None:  # noqa: ARG002 - nothing is leased
        """Return None."""
        return None

    async def check(self) -> None:
        """Return if the file can be decrypted."""
        await asyncio.to_thread(self._read)

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        """Write a secret; the first one makes both files."""
        await asyncio.to_thread(self._write, name, content)

    async def close(self) -> None:
        """Nothing is held."""

    def _document(self, name: str, secrets: dict[str, Any]) -> Document:
        if name not in secrets:
            raise missing(self._name, name)
        return Document(secrets[name], version_of(secrets[name]))

    def _read(self) -> _Content:
        try:
            sealed = read_bounded(self._file, FILE_BYTES_MAX)
            return msgspec.json.decode(self._keys().decrypt(sealed.strip()), type=_Content)
        except FileNotFoundError:  # not the secret's end, if a volume is not mounted; but a first one may be written
            raise down(self._name, "cannot read its file: it is not there", missing=True) from None
        except OSError as error:
            raise down(self._name, f"cannot read its file: {error.strerror}") from None
        except InvalidToken:
            raise down(self._name, "cannot decrypt its file: it was changed, or no key in key_file fits") from None
        except ValueError as error:  # msgspec's errors too
            what = "it holds something else" if isinstance(error, msgspec.MsgspecError) else str(error)
            raise down(self._name, f"will not read its file: {what}") from None

    def _write(self, name: str, content: str | dict[str, str]) -> None:
        try:
            if not self._key_file.exists():
                create_private(self._key_file, Fernet.generate_key().decode() + "\n")
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._file.with_name(self._file.name + ".lock")):
                known = self._read() if self._file.exists() else _Content(secrets={}, previous={})
                if name in known["secrets"]:
                    known["previous"][name] = known["secrets"][name]
                known["secrets"][name] = content
                write_private(self._file, self._keys().encrypt(msgspec.json.encode(known)).decode())
        except OSError as error:
            raise down(self._name, f"cannot write its file: {error.strerror}") from None

    def _keys(self) -> MultiFernet:
        try:
            lines = read_private(self._key_file).split()
            return MultiFernet([Fernet(line) for line in lines])
        except FileNotFoundError:
            raise down(self._name, "has no key_file") from None
        except ValueError:
            raise down(self._name, "has a key_file without usable keys: 32 bytes each, in URL-safe Base64") from None


@contextmanager
def _locked(path: Path) -> Any:
    """Hold a lock that other processes respect: two that write at once would lose a secret."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
