"""What calls lean on and may find failing, and the ports by which it is spared: breakers, bulkheads, rate limits."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from airside.core.call import Call

SHARED = "*"
"""The tenant of what belongs to the installation and not to one tenant."""


class Dependency(NamedTuple):
    """What a call leans on and may find failing.

    Named `provider:NAME` or `model:PROVIDER/NAME`, both SHARED; or, of a tenant, `tool:NAME`, `capability:NAME`
    (several tools), `source:mcp:NAME` and `source:openapi:NAME` (all tools of a server or an API).
    """

    tenant_id: str
    name: str


DependenciesOf = Callable[[Call], Sequence[Dependency]]
"""Tells what a call leans on, the widest first; a gateway gives it. Empty for calls that lean on nothing outside."""


class Sign(Enum):
    """What the end of a call says about a dependency."""

    GOOD = "good"
    FAILED = "failed"
    ERROR = "error"  # a tool answered with an error of its own
    BUSY = "busy"  # it answered that it is asked too often
    NONE = "none"  # nothing: the call was cancelled, refused before it left, or wrong itself


class Probe(Protocol):
    """The right to try out dependencies that are switched off; of all processes one has it."""

    def end(self, sign: Sign, retry_after_s: float | None = None) -> None:
        """Say how the trial ended. Returns at once; called exactly once."""
        ...


class Breakers(Protocol):
    """Which dependencies are switched off because they fail."""

    def closed(self, dependencies: Sequence[Dependency]) -> bool:
        """Whether none of them is switched off, as this process knows (at most 250 ms late)."""
        ...

    async def probe(self, dependencies: Sequence[Dependency]) -> Probe | None:
        """Claim the trial of those that are switched off; None if none is after all.

        Raises `breaker_open`, with the dependency in `details` and the time to wait, while no trial is due or another
        has it.
        """
        ...

    def note(
        self, dependencies: Sequence[Dependency], sign: Sign, took_s: float, retry_after_s: float | None = None
    ) -> None:
        """Count the end of a call that was not a probe."""
        ...


class Bulkheads(Protocol):
    """Bounds on how much is under way at once, so that one agent's hang does not starve another."""

    async def enter(self, tenant_id: str, agent: str, upstream: str, wait_s: float) -> Callable[[], None]:
        """Take a place and return what gives it back, which is called exactly once.

        Waits at most `wait_s` seconds; raises `rate_limited` then, or at once when too many wait already.
        """
        ...


class Asker(NamedTuple):
    """Who asks, as rate limits tell them apart; what is empty is not limited."""

    tenant_id: str
    user: str = ""
    key: str = ""
    address: str = ""


class Taken(Protocol):
    """What a call took of its rate limits."""

    def settle(self, tokens: int) -> None:
        """Say how many tokens it came to; what was taken beyond that is given back."""
        ...


class RateLimits(Protocol):
    """How often, and how much, within a minute; shared by all processes."""

    @property
    def limited(self) -> bool:
        """Whether there is any limit at all."""
        ...

    async def take(self, asker: Asker, tokens: int = 0) -> Taken:
        """Take one request and so many tokens; raises `rate_limited` with the time to wait."""
        ...
