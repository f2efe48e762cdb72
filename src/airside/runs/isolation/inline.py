"""Attempts as tasks of this very process: no isolation at all. For tests, trusted plain agents and throughput."""

import asyncio
from collections.abc import Awaitable, Callable

from airside.runs.isolation.failure import describe
from airside.runs.isolation.port import AttemptEnd, AttemptProcess, AttemptSpec, EndKind

RunAgent = Callable[[AttemptSpec], Awaitable[bytes]]
"""Runs the agent of a spec and returns its result as JSON; the adapters' side, injected by the plane."""


class InlineLauncher:
    """Starts attempts as asyncio tasks."""

    def __init__(self, run_agent: RunAgent) -> None:
        self._run_agent = run_agent
        self._attempts: set[InlineAttempt] = set()

    async def start(self, spec: AttemptSpec) -> AttemptProcess:
        """Start an attempt."""
        attempt = InlineAttempt(self._run_agent(spec), self._attempts.discard)
        self._attempts.add(attempt)
        return attempt

    async def close(self) -> None:
        """Stop every attempt."""
        for attempt in list(self._attempts):
            await attempt.stop()


class InlineAttempt:
    """An attempt as a task. Stopping cancels it; an agent that swallows the cancellation is not waited for."""

    def __init__(self, work: Awaitable[bytes], forget: Callable[["InlineAttempt"], None]) -> None:
        self._stopping = False
        self._task = asyncio.ensure_future(self._run(work))
        self._task.add_done_callback(lambda _: forget(self))

    async def wait(self) -> AttemptEnd:
        """Return how it ended."""
        await asyncio.wait([self._task])
        if self._stopping or self._task.cancelled():
            return AttemptEnd(EndKind.STOPPED, message="airside ended the attempt")
        return self._task.result()

    async def stop(self) -> None:
        """Cancel it."""
        self._stopping = True
        self._task.cancel()
        await asyncio.wait([self._task], timeout=STOP_TIMEOUT_S)

    async def _run(self, work: Awaitable[bytes]) -> AttemptEnd:
        try:
            return AttemptEnd(EndKind.RETURNED, result=await work)
        except Exception as error:  # noqa: BLE001 - whatever an agent raises is how its attempt ended
            message, code = describe(error)
            return AttemptEnd(EndKind.RAISED, message=message, code=code)


STOP_TIMEOUT_S = 5.0
