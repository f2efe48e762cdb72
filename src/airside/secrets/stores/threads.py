"""Blocking clients on threads of their own, few at a time, so that a store that hangs holds up nothing else."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar, cast

from airside.secrets.store import down

T = TypeVar("T")

THREADS_MAX: Final = 8


class Threads:
    """Runs a store's blocking work. Daemon threads: a server that never answers must not keep the process alive."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._running = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns or raise what it raises. Whoever stops waiting leaves the thread to its end.

        Raises TransientError `secret_unavailable` if all threads are taken.
        """
        if self._running >= THREADS_MAX:
            raise down(self._store, f"answers none of {THREADS_MAX} requests that are under way")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def end(value: T | None, error: BaseException | None) -> None:
            self._running -= 1
            if done.done():  # nobody waits any more
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(cast("T", value))

        def body() -> None:
            value: T | None = None
            failure: BaseException | None = None
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - carried over to the loop
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, value, failure)

        self._running += 1
        threading.Thread(target=body, name=f"secrets {self._store}", daemon=True).start()
        return await done
