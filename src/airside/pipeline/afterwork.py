"""Work that must be finished although its caller has gone: settlements, and tools whose client vanished."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from airside.core.clock import Clock
from airside.core.errors import AirsideError

T = TypeVar("T")
_log = structlog.get_logger(__name__)

RETRY_FIRST_S = 0.05
RETRY_MAX_S = 5.0


class Afterwork:
    """Keeps tasks alive and tries journal work until it succeeds, or the process ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def pending(self) -> int:
        """How many pieces of work are unfinished."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of its own, which outlives the caller. Its failure is its awaiter's to handle."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return the value of `work`, tried again with growing pauses (50 ms to 5 s) while the journal fails."""
        pause = RETRY_FIRST_S
        while True:
            try:
                return await work()
            except AirsideError as error:
                _log.warning("journal_retry", code=error.code.value, pause_s=pause)
            await self._clock.sleep(pause)
            pause = min(pause * 2, RETRY_MAX_S)

    async def within(self, task: asyncio.Task[T], seconds: float) -> T:
        """Return a started task's value if it comes in time, else raise TimeoutError and let it go on."""
        timer = asyncio.get_running_loop().create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        if not task.done():
            raise TimeoutError
        return task.result()

    async def drain(self, timeout_s: float) -> bool:
        """Wait for what is under way at shutdown; return whether all of it was finished in time."""
        if not self._tasks:
            return True
        _, late = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not late

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen; whoever awaited the task has it too
