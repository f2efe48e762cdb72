"""The HTTP client for providers, as a protocol small enough that another client can take its place.

`upstream_http1` implements it. All that can go wrong becomes one of two things that callers tell apart: the provider
was never reached, or it failed on the way.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from msgspec import Struct


class Unreachable(Exception):
    """No connection came about, so the provider has seen nothing."""


class Interrupted(Exception):
    """The connection failed after the request left; the provider may have worked."""


class TimedOut(Interrupted):
    """The provider was silent, or not done, for too long."""


class Patience(Struct, frozen=True):
    """How long to wait, in seconds: for a connection, for the whole exchange, and for its next byte (None: no limit).

    Only our own waiting counts as silence: while our client is slow to take what there is, nobody else is to blame.
    """

    connect_s: float
    total_s: float
    silence_s: float | None = None


class Response(Protocol):
    """A response whose head has arrived. It must be closed."""

    status: int

    def header(self, name: str) -> str:
        """Return a header's value, the first if there are several, or an empty string."""
        ...

    async def read(self, bytes_max: int) -> bytes:
        """Return the whole body; raises TimedOut, and Interrupted also beyond `bytes_max`."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raises Interrupted and TimedOut."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else cut it, which stops the provider."""
        ...


class Upstream(Protocol):
    """An HTTP client."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, patience: Patience) -> Response:
        """Send a request and return its answer's head; raises Unreachable, Interrupted, TimedOut."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Fetching(Upstream, Protocol):
    """An HTTP client that can also ask for what lies at an address, which batches need."""

    async def get(self, url: str, headers: Mapping[str, str], patience: Patience) -> Response:
        """Send a request without a body and return its answer's head; raises Unreachable, Interrupted, TimedOut."""
        ...
