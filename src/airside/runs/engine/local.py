"""The engine of one process: a priority queue in memory. After a restart it is refilled from the runs table."""

import asyncio
import heapq
import itertools

import structlog

from airside.runs.engine.port import Execute, Ticket

_log = structlog.get_logger(__name__)


class LocalEngine:
    """Executes tickets in this process, at most `slots` at the same time."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._heap: list[tuple[int, int, Ticket]] = []
        self._waiting: set[tuple[str, str]] = set()
        self._order = itertools.count()
        self._running: set[asyncio.Task[None]] = set()
        self._execute: Execute | None = None

    async def start(self, execute: Execute | None) -> None:
        """Begin to execute."""
        self._execute = execute
        self._fill()

    async def submit(self, *tickets: Ticket) -> None:
        """Queue tickets by priority, then first come first served."""
        for ticket in tickets:
            if ticket.key not in self._waiting:
                self._waiting.add(ticket.key)
                heapq.heappush(self._heap, (ticket.priority, next(self._order), ticket))
        self._fill()

    async def cancel(self, tenant_id: str, run_id: str) -> None:
        """Drop a ticket that still waits."""
        self._waiting.discard((tenant_id, run_id))

    async def recover(self) -> int:
        """Nothing outlives the process here, so there is nothing to free."""
        return 0

    async def close(self) -> None:
        """Forget what waits and let what executes come to its end."""
        self._execute = None
        self._heap.clear()
        self._waiting.clear()
        if self._running:
            await asyncio.wait(self._running)

    def _fill(self) -> None:
        while self._execute and self._heap and len(self._running) < self._slots:
            _, _, ticket = heapq.heappop(self._heap)
            if ticket.key not in self._waiting:
                continue  # cancelled
            self._waiting.discard(ticket.key)
            task = asyncio.create_task(self._run(self._execute, ticket))
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._fill()

    async def _run(self, execute: Execute, ticket: Ticket) -> None:
        try:
            await execute(ticket)
        except Exception:  # noqa: BLE001 - the engine outlives every run; the sweeper finds what this leaves
            _log.exception("executing a run failed", run=ticket.run_id)
