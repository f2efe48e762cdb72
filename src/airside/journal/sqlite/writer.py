"""The one writer of a SQLite file: operations gather on the event loop and are committed in groups.

The next batch forms while the last one commits. Alone, an operation begins its batch at once; where many come together,
what has just been committed is followed by GATHER_S of waiting for more, because a commit costs much and one more
operation in it little. A batch is applied on the loop (its statements only change memory) and committed on a thread
(that is where the disk is waited for). An operation that
fails alone fails alone; if the batch as a whole is lost, every one of its operations fails with `journal_unavailable`
and none was done. Callers may vanish: their operation completes.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from airside.core.errors import AirsideError, Code
from airside.core.ports import Entry, Sealed
from airside.journal.sqlite import connection as connections
from airside.journal.sqlite import failures
from airside.journal.sqlite.balances import Balances
from airside.journal.sqlite.commits import CommitThread
from airside.journal.sqlite.standings import Standings
from airside.journal.sqlite.transaction import ADD_ANSWER, ADD_CONTENT, ADD_ENTRY, content_row, entry_row

T = TypeVar("T")
OPERATIONS_MAX = 512  # in one batch: what the loop may be kept busy for
WAITING_MAX = 50_000
CROWD = 4  # operations in the last batch from which on the next one waits for company
ENOUGH = 64  # operations that are company enough
GATHER_S = 0.004


class Batch:
    """One transaction under way, and what its operations have in common."""

    def __init__(self, connection: sqlite3.Connection, balances: Balances, standings: Standings) -> None:
        self.connection = connection
        self.balances = balances
        self.standings = standings
        self.now_us = time.time_ns() // 1_000
        self._entries: list[tuple[object, ...]] = []
        self._contents: list[tuple[object, ...]] = []
        self._answers: list[tuple[object, ...]] = []

    def append(self, entry: Entry) -> None:
        """Add an entry; written with the others at the end, in the order of the calls."""
        self._entries.append(entry_row(entry, self.now_us))

    def store(self, sealed: Sealed) -> None:
        """Add a content."""
        self._contents.append(content_row(sealed))

    def answer(self, call_id: str, sealed: Sealed) -> None:
        """Add the answer of a call."""
        self._answers.append((sealed.tenant_id, call_id, sealed.content_id, sealed.blob))

    def flush(self) -> None:
        """Write what has gathered, so that statements see it."""
        if self._entries:
            self.connection.executemany(ADD_ENTRY, self._entries)
            self._entries.clear()
        if self._contents:
            self.connection.executemany(ADD_CONTENT, self._contents)
            self._contents.clear()
        if self._answers:
            self.connection.executemany(ADD_ANSWER, self._answers)
            self._answers.clear()
        self.balances.write()


Waiting = tuple[Callable[[Batch], Any], "asyncio.Future[Any]"]
Result = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Writer:
    """Group commit on one connection. Belongs to the event loop it is first used on."""

    def __init__(self, connection: sqlite3.Connection, *, busy_timeout_s: float, in_memory: bool) -> None:
        self._connection = connection
        self._balances = Balances(connection)
        self._standings = Standings()
        self._data_version = -1
        self._busy_timeout_s = busy_timeout_s
        self._thread = None if in_memory else CommitThread()
        self._waiting: deque[Waiting] = deque()
        self._running = False
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False

    def submit(self, operation: Callable[[Batch], T]) -> "asyncio.Future[T]":
        """Put an operation into the next batch; the future is done once that is durable.

        The operation runs inside the transaction, on the loop, and must leave nothing half done when it raises.
        """
        if self._closed or len(self._waiting) >= WAITING_MAX:
            raise AirsideError(
                Code.JOURNAL_UNAVAILABLE,
                "the journal is closed" if self._closed else f"{WAITING_MAX} operations wait for the journal already",
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((operation, future))
        if not self._running:
            self._running = True
            loop.call_soon(self._begin)
        return future

    async def close(self) -> None:
        """Refuse new operations, finish those that wait, and release the connection."""
        self._closed = True
        if self._running:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        if self._thread:
            self._thread.close()
        self._connection.close()

    def _begin(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), OPERATIONS_MAX))]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if self._thread and failures.is_busy(error):
                # Another process writes: wait on the thread, because the loop must go on.
                wait = partial(connections.patiently, self._connection, "BEGIN IMMEDIATE", self._busy_timeout_s)
                self._thread.run(wait, partial(self._begun, batch))
            else:
                self._abort(batch, error)
        else:
            self._apply(batch)

    def _begun(self, batch: list[Waiting], error: BaseException | None) -> None:
        if error:
            self._abort(batch, error)
        else:
            self._apply(batch)

    def _apply(self, waiting: list[Waiting]) -> None:
        before = self._connection.total_changes
        try:
            self._remember_only_own()
            batch = Batch(self._connection, self._balances, self._standings)
            results = [(future, *_attempt(operation, batch)) for operation, future in waiting]
            batch.flush()
        except (sqlite3.Error, OverflowError) as error:
            self._abort(waiting, error)
            return
        if self._thread is None or self._connection.total_changes == before:
            self._finish(waiting, results, _commit_error(self._connection))
        else:
            self._thread.run(partial(self._connection.execute, "COMMIT"), partial(self._finish, waiting, results))

    def _remember_only_own(self) -> None:
        """Forget what is remembered if another connection has committed since the last transaction."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._forget()
            self._data_version = version
        self._balances.trim()

    def _forget(self) -> None:
        self._balances.forget()
        self._standings.forget()

    def _finish(self, waiting: list[Waiting], results: list[Result], error: BaseException | None) -> None:
        if error:
            self._abort(waiting, error)
            return
        for future, value, failure in results:
            if future.done():
                continue
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)
        self._next(len(waiting))

    def _abort(self, waiting: list[Waiting], error: BaseException) -> None:
        """Undo the batch and tell every operation; what is remembered holds what never happened, so it goes."""
        self._forget()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as again:
                error = again
        for _, future in waiting:
            if not future.done():
                future.set_exception(AirsideError(Code.JOURNAL_UNAVAILABLE, f"the journal cannot be written: {error}"))
        self._next(0)

    def _next(self, done: int) -> None:
        """Go on after a batch of so many operations."""
        loop = asyncio.get_running_loop()
        if self._thread and done >= CROWD and len(self._waiting) < ENOUGH and not self._closed:
            loop.call_later(GATHER_S, self._next, 0)
            return
        if self._waiting:
            loop.call_soon(self._begin)  # after the callers just woken, whose next operations then join
            return
        self._running = False
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)


def _attempt(operation: Callable[[Batch], Any], batch: Batch) -> tuple[Any, BaseException | None]:
    try:
        return operation(batch), None
    except (Exception, asyncio.CancelledError) as error:
        if failures.is_fatal(error):
            raise
        return None, failures.translated(error)


def _commit_error(connection: sqlite3.Connection) -> BaseException | None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        return error
    return None
