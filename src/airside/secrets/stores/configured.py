"""Makes the configured stores: which kind of setting becomes which class."""

from collections.abc import Mapping

from airside.config.secrets import SecretSettings, StoreSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.handle import parse
from airside.secrets.store import Store
from airside.secrets.stores.aws import AwsStore
from airside.secrets.stores.encrypted import EncryptedStore
from airside.secrets.stores.env import EnvStore
from airside.secrets.stores.file import FileStore
from airside.secrets.stores.vault import VaultStore


def stores(settings: SecretSettings) -> Mapping[str, Store]:
    """Return a store for each that is configured.

    Raises AirsideError `misconfigured`, also for grants that name no handle or a store that there is not.
    """
    made = {name: _store(name, store, settings.timeout_s) for name, store in settings.stores.items()}
    for number, grant in enumerate(settings.grants):
        where = f"secrets.grants.{number}"
        try:
            handle = parse(grant.secret.removesuffix("*").rstrip("/") if grant.secret.endswith("*") else grant.secret)
        except AirsideError:
            raise AirsideError(Code.MISCONFIGURED, f"{where}.secret: this is no handle of a secret") from None
        if handle.store not in made:
            raise AirsideError(Code.MISCONFIGURED, f"{where}.secret: there is no store {handle.store!r}")
        if not grant.name and not grant.arguments:
            raise AirsideError(Code.MISCONFIGURED, f"{where}: give it a `name`, or places in `arguments`, or both")
    return made


def _store(name: str, settings: StoreSettings, timeout_s: float) -> Store:
    match settings.kind:
        case "env":
            return EnvStore(name, settings)
        case "file":
            return FileStore(name, settings)
        case "encrypted":
            return EncryptedStore(name, settings)
        case "vault":
            return VaultStore(name, settings, timeout_s)
        case "aws":
            return AwsStore(name, settings, timeout_s)
