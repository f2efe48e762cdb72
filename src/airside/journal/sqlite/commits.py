"""The thread on which commits wait for the disk."""

import asyncio
import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

Work = Callable[[], object]
Done = Callable[[BaseException | None], object]


class CommitThread:
    """Runs one piece of work after the other and reports to the event loop it came from."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Work, Done, asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="airside-commit", daemon=True)
        self._thread.start()

    def run(self, work: Work, done: Done) -> None:
        """Run statements of SQLite on the thread, then `done` on the calling loop with their error, or None."""
        self._queue.put((work, done, asyncio.get_running_loop()))

    def close(self) -> None:
        """End the thread after the work it has been given."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            work, done, loop = item
            error: BaseException | None = None
            try:
                work()
            except (sqlite3.Error, MemoryError) as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(done, error)
            except RuntimeError:  # the loop was closed without closing the database; nobody is left to tell
                return
            del item, work, done, loop, error
