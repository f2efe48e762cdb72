"""Headers with secrets in them, which know how to get others once these are refused."""

from collections.abc import Callable, Mapping

from airside.secrets.handle import Handle
from airside.secrets.lease import Lease
from airside.secrets.service import TRIES_MAX, Secrets


class FilledHeaders(dict[str, str]):
    """Headers with values in them, and how to get others once these are refused."""

    def __init__(
        self, templates: Mapping[str, str], secrets: Secrets, leases: dict[Handle, Lease], heard: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._templates = templates
        self._secrets = secrets
        self._leases = leases
        self._heard = heard
        self._refused: dict[Handle, list[str]] = {}
        self._tries = 1

    def __repr__(self) -> str:
        return "(withheld)"

    async def fill(self) -> "FilledHeaders":
        """Put values in, and return these headers."""
        self.update(await self._secrets.filled(self._templates, self._leases))
        for lease in self._leases.values():
            self._heard(lease.value)
        return self

    async def renew(self) -> bool:
        """Put other values in for those that were refused; return whether there are any."""
        self._tries += 1
        if self._tries > TRIES_MAX or not await self._secrets.replaced(self._leases, self._refused):
            return False
        await self.fill()
        return True


async def renewed(headers: Mapping[str, str]) -> bool:
    """Whether refused headers now hold another credential, so that the request may be sent again."""
    return isinstance(headers, FilledHeaders) and await headers.renew()
