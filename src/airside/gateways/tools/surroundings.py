"""What foreign sources of tools need of the process that they live in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct

from airside.core.clock import Clock
from airside.core.ports import Database, Keyring, Notices

T = TypeVar("T")


class Holder(NamedTuple):
    """Whose a session is; `run_id` is empty for one that the tenant's runs share."""

    tenant_id: str
    run_id: str


Ended = Callable[[Sequence[Holder]], Awaitable[Sequence[Holder]]]
"""Returns those of some runs that have ended."""


class Credentials(Protocol):
    """Fills handles in settings with the secrets they name."""

    async def using(
        self, texts: Mapping[str, str], use: Callable[[Mapping[str, str]], Awaitable[T]], *, timeout_s: float
    ) -> T:
        """Hand filled texts to `use`, again with newer values if it raises CredentialRefused."""
        ...


class Surroundings(Struct, frozen=True):
    """What a server needs of the process: where binaries go, who is told, which runs are over, and its secrets."""

    database: Database
    keyring: Keyring
    notices: Notices
    clock: Clock
    tenant: str
    ended: Ended
    credentials: Credentials
