"""Secrets from a folder with a file for each: what Docker and Kubernetes mount, or what a person keeps there.

A file that everybody on the machine may read is refused. Read anew at each fetch, so replacing a file rotates it.
"""

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from airside.config.private_files import write_private
from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.lease import VALUE_BYTES_MAX, Document, text_of
from airside.secrets.store import down, missing, version_of

FILE_BYTES_MAX: Final = 4 * VALUE_BYTES_MAX
PREVIOUS: Final = ".previous"


class FileStore:
    """`Store` for `kind: file`. Writing keeps what was there before under the same name and `.previous`."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        if settings.folder is None:
            raise AirsideError(Code.MISCONFIGURED, f"secrets.stores.{name}.folder: the kind `file` needs it")
        self._name = name
        self._folder = settings.folder

    async def fetch(self, name: str) -> Document:
        """Return a file's text, without the line break at its end."""
        return await asyncio.to_thread(self._read, name)

    async def others(self, name: str) -> Sequence[Document]:
        """Return what stood there before the last `put`."""
        try:
            return [await self.fetch(name + PREVIOUS)]
        except AirsideError:
            return ()

    async def renew(self, document: Document) -> Document | None:  # noqa: ARG002 - nothing is leased
        """Return None."""
        return None

    async def check(self) -> None:
        """Return if the folder is there."""
        if not await asyncio.to_thread(self._folder.is_dir):
            raise down(self._name, f"has no folder {self._folder}")

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        """Replace a file in one step."""
        await asyncio.to_thread(self._write, name, content)

    async def close(self) -> None:
        """Nothing is held."""

    def _read(self, name: str) -> Document:
        path = self._within(name)
        try:
            raw = read_bounded(path, FILE_BYTES_MAX)
        except FileNotFoundError:
            raise missing(self._name, name) from None
        except NotADirectoryError:
            raise missing(self._name, name) from None
        except OSError as error:
            raise down(self._name, f"cannot read {name}: {error.strerror}") from None
        except ValueError as error:
            raise AirsideError(
                Code.SECRET_UNAVAILABLE,
                f"the store {self._name} will not read {name}: {error}",
                advice="Make it an ordinary file that only its owner (and group) may read.",
                details={"not_sent": True},
            ) from None
        text = text_of(raw, f"{name} in the store {self._name}").removesuffix("\n").removesuffix("\r")
        return Document(text, version_of(text))

    def _write(self, name: str, content: str | dict[str, str]) -> None:
        path = self._within(name)
        text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.is_file():
                write_private(path.with_name(path.name + PREVIOUS), path.read_text())
            write_private(path, text)
        except OSError as error:
            raise down(self._name, f"cannot write {name}: {error.strerror}") from None

    def _within(self, name: str) -> Path:
        """Return the file of a name; a symbolic link that leads out of the folder leads nowhere."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise missing(self._name, name)
        return path


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return a file's bytes. Raises OSError, and ValueError for what is no file, too large, or open to everybody."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would block for ever
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no ordinary file")
        if status.st_mode & 0o007:
            raise ValueError("everybody on this machine may read it")
        raw = stream.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise ValueError(f"it is larger than {bytes_max} bytes")
    return raw
