"""Secrets from HashiCorp Vault or OpenBao through hvac: KV version 2, or credentials made for a lease.

airside's own way in is a token in a file that something else renews (an agent, Kubernetes), or AppRole. A token that is
refused is replaced by a new one once before the refusal counts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.lease import Document, texts
from airside.secrets.store import cannot, down, missing, version_of
from airside.secrets.stores.file import read_bounded
from airside.secrets.stores.threads import Threads

T = TypeVar("T")

TOKEN_BYTES_MAX: Final = 16_384
LEASES_MAX: Final = 1_000


class VaultStore:
    """`Store` for `kind: vault`."""

    def __init__(self, name: str, settings: StoreSettings, timeout_s: float) -> None:
        try:
            import hvac
        except ImportError:
            raise AirsideError(
                Code.MISCONFIGURED,
                f"secrets.stores.{name}: the kind `vault` needs the extra `vault`",
                advice="Install airside[vault].",
            ) from None
        if not settings.address.startswith(("http://", "https://")):
            raise AirsideError(Code.MISCONFIGURED, f"secrets.stores.{name}.address: must be an http(s) address")
        if settings.token_file is None and (settings.role_id_file is None or settings.secret_id_file is None):
            raise AirsideError(
                Code.MISCONFIGURED,
                f"secrets.stores.{name}: give it a token_file, or a role_id_file and a secret_id_file",
            )
        self._hvac = hvac
        self._name = name
        self._settings = settings
        self._timeout_s = timeout_s
        self._threads = Threads(name)
        self._token = ""
        self._versions: dict[str, int] = {}
        self._leases: dict[str, None] = {}

    async def fetch(self, name: str) -> Document:
        """Return the current version, or new credentials with their lease."""
        if self._settings.engine == "dynamic":
            return await self._asked(lambda client: self._made(client, name), name)
        document = await self._asked(lambda client: self._kept(client, name, None), name)
        self._versions[name] = int(document.version.partition("@")[0])
        return document

    async def others(self, name: str) -> Sequence[Document]:
        """Return the version before the current one, which the other side may not have given up yet."""
        before = self._versions.get(name, 1) - 1
        if before < 1:
            return ()
        try:
            return [await self._asked(lambda client: self._kept(client, name, before), name)]
        except AirsideError:
            return ()

    async def renew(self, document: Document) -> Document | None:
        """Return the same credentials for another lease, or None where that is refused or hardly worth it."""
        if not document.renewable or not document.lease_id:
            return None
        try:
            answer = await self._asked(lambda client: client.sys.renew_lease(document.lease_id), document.lease_id)
        except AirsideError:
            return None
        if answer["lease_duration"] < (document.asked_s or document.lease_s) / 2:
            return None  # its longest life is nearly over
        return document.lasting(float(answer["lease_duration"]))

    async def check(self) -> None:
        """Return if the server is up, unsealed, and takes our token."""
        await self._asked(lambda client: client.auth.token.lookup_self(), "its token")

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        """Write a new version."""
        if self._settings.engine == "dynamic":
            raise cannot(self._name, "be written: it makes credentials itself")
        secret = content if isinstance(content, dict) else {"value": content}
        mount = self._settings.mount

        def write(client: Any) -> None:
            client.secrets.kv.v2.create_or_update_secret(path=name, secret=secret, mount_point=mount)

        await self._asked(write, name)

    async def close(self) -> None:
        """Give every lease back."""
        leases, self._leases = list(self._leases), {}
        for lease_id in leases:
            await self._asked(lambda client, one=lease_id: client.sys.revoke_lease(one), lease_id)  # type: ignore[misc]  # a default is no part of the Callable

    def _kept(self, client: Any, name: str, version: int | None) -> Document:
        answer = client.secrets.kv.v2.read_secret_version(
            path=name, version=version, mount_point=self._settings.mount, raise_on_deleted_version=True
        )["data"]
        metadata = answer["metadata"]
        return Document(texts(answer["data"]), f"{metadata['version']}@{metadata['created_time']}")

    def _made(self, client: Any, name: str) -> Document:
        answer = client.read(f"{self._settings.mount}/{name}")
        if answer is None:
            raise missing(self._name, name)
        lease_id, lease_s = str(answer.get("lease_id") or ""), float(answer.get("lease_duration") or 0)
        if lease_id:
            self._leases[lease_id] = None
            while len(self._leases) > LEASES_MAX:
                del self._leases[next(iter(self._leases))]
        content = texts(answer["data"])
        lease = {"lease_s": lease_s} if lease_s else {}
        return Document(
            content, version_of(content), lease_id=lease_id, renewable=bool(answer.get("renewable")), **lease
        )

    async def _asked(self, ask: Callable[[Any], T], name: str) -> T:
        return await self._threads.run(lambda: self._ask(ask, name))

    def _ask(self, ask: Callable[[Any], T], name: str) -> T:
        """Ask on this thread, once more with a new token if ours is refused; hvac's errors become ours."""
        import requests

        errors = self._hvac.exceptions
        try:
            try:
                return self._with_client(ask, self._token or self._log_in())
            except (errors.Forbidden, errors.Unauthorized):
                before, self._token = self._token, ""
                token = self._log_in()
                if token == before and self._settings.token_file is not None:
                    raise
                return self._with_client(ask, token)
        except errors.InvalidPath:
            raise missing(self._name, name) from None
        except (errors.Forbidden, errors.Unauthorized):
            raise down(self._name, "denies airside this secret, or its token has expired") from None
        except errors.VaultDown:
            raise down(self._name, "is sealed, in standby or in maintenance") from None
        except errors.InvalidRequest:
            raise AirsideError(
                Code.SECRET_UNAVAILABLE,
                f"the store {self._name} finds the request for {name} wrong",
                advice="Check mount, engine and name.",
                details={"not_sent": True},
            ) from None
        except errors.VaultError as error:
            raise down(self._name, f"failed ({type(error).__name__})") from None
        except (requests.RequestException, OSError) as error:
            raise down(self._name, f"cannot be reached ({type(error).__name__})") from None
        except (KeyError, TypeError, ValueError):
            raise down(self._name, f"answered for {name} with something unknown") from None

    def _with_client(self, ask: Callable[[Any], T], token: str) -> T:
        settings = self._settings
        client = self._hvac.Client(
            url=settings.address,
            token=token,
            namespace=settings.namespace or None,
            verify=str(settings.ca_file) if settings.ca_file else True,
            timeout=self._timeout_s,
            allow_redirects=False,
        )
        try:
            return ask(client)
        finally:
            client.adapter.close()

    def _log_in(self) -> str:
        settings = self._settings
        if settings.token_file is not None:
            self._token = _line(settings.token_file)
            return self._token
        assert settings.role_id_file is not None, "checked when it was made"
        assert settings.secret_id_file is not None, "checked when it was made"
        role_id, secret_id = _line(settings.role_id_file), _line(settings.secret_id_file)
        answer = self._with_client(lambda client: client.auth.approle.login(role_id, secret_id), "")
        self._token = str(answer["auth"]["client_token"])
        return self._token


def _line(path: Path) -> str:
    return read_bounded(path, TOKEN_BYTES_MAX).decode().strip()
