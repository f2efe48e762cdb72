"""The port of an engine. It may lose or repeat a ticket: dispatch is derived from the runs table, and starting an
attempt is one transaction that only a queued run passes.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct


class Ticket(Struct, frozen=True):
    """An admitted run on its way to a worker. The lower `priority` goes first."""

    tenant_id: str
    run_id: str
    release: str
    priority: int

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and run id."""
        return self.tenant_id, self.run_id


Execute = Callable[[Ticket], Awaitable[None]]
"""Executes a run's next attempt from its start to its end; does nothing for a run that may not start."""


class Engine(Protocol):
    """Brings tickets to workers, each to one, by priority, at most `slots` at the same time in one process."""

    async def start(self, execute: Execute | None) -> None:
        """Begin. Without `execute` this process only submits, and others execute."""
        ...

    async def submit(self, *tickets: Ticket) -> None:
        """Take tickets; submitting a run that waits here already changes nothing."""
        ...

    async def cancel(self, tenant_id: str, run_id: str) -> None:
        """Drop a run's ticket if it still waits. What executes is ended by its worker, not by the engine."""
        ...

    async def recover(self) -> int:
        """Free what dead workers held, and return how many tickets that was."""
        ...

    async def close(self) -> None:
        """Take nothing new, wait for what executes, and release everything."""
        ...
