"""The transaction seam on SQLite: writes join the writer's batches, reads run on their own connections in threads."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from airside.core.errors import AirsideError, Code
from airside.core.ports import Body
from airside.journal.sqlite import connection as connections
from airside.journal.sqlite import failures
from airside.journal.sqlite.transaction import SqliteTransaction, drive
from airside.journal.sqlite.writer import Batch, Writer

T = TypeVar("T")
READERS = 4  # threads, each with its own connection


class SqliteDatabase:
    """Implements core.ports.Database on one file, or in memory (then everything runs on the loop)."""

    def __init__(self, connection: sqlite3.Connection, path: str, busy_timeout_s: float) -> None:
        self.in_memory = path == connections.MEMORY
        self.writer = Writer(connection, busy_timeout_s=busy_timeout_s, in_memory=self.in_memory)
        self._connection = connection
        self._closed = False
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        if not self.in_memory:
            self._glancer = connections.open_reader(path, busy_timeout_s=0)
            self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="airside-read")
            for _ in range(READERS):
                self._readers.put(connections.open_reader(path, busy_timeout_s))

    async def transact(self, body: Body[T]) -> T:
        """Run `body` in the next batch under a savepoint of its own, and return its value after the commit."""
        return await self.writer.submit(partial(_in_savepoint, body))

    async def read(self, body: Body[T]) -> T:
        """Run `body` on a consistent snapshot in a thread."""
        if self._closed:
            raise AirsideError(Code.JOURNAL_UNAVAILABLE, "the journal is closed")
        if self.in_memory:
            return self._read_in(self._connection, body)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_in_thread, body)

    async def look_up(self, body: Body[T]) -> T:
        """Run `body`, a single look, on the loop: its statement is faster than the way to a thread and back."""
        return await self.glance(partial(_run, body=body))

    async def glance(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """Answer one small indexed question on the loop, without a thread's detour. Sees what is committed.

        In the rare moment when a reader must wait (another process recovers the log) it goes to a thread after all.
        """
        if self._closed:
            raise AirsideError(Code.JOURNAL_UNAVAILABLE, "the journal is closed")
        try:
            return look(self._connection if self.in_memory else self._glancer)
        except sqlite3.Error as error:
            if self.in_memory or not failures.is_busy(error):
                raise failures.translated(error) from error
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._look_in_thread, look)

    async def close(self) -> None:
        """Finish what is under way and release every connection."""
        if self._closed:
            return
        self._closed = True
        if not self.in_memory:
            await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
            self._glancer.close()
            for _ in range(READERS):
                self._readers.get().close()
        await self.writer.close()

    def _look_in_thread(self, look: Callable[[sqlite3.Connection], T]) -> T:
        reader = self._readers.get()
        try:
            reader.execute("BEGIN")
            return look(reader)
        except sqlite3.Error as error:
            raise failures.translated(error) from error
        finally:
            _end(reader)
            self._readers.put(reader)

    def _read_in_thread(self, body: Body[T]) -> T:
        return self._look_in_thread(lambda reader: self._read_in(reader, body))

    @staticmethod
    def _read_in(connection: sqlite3.Connection, body: Body[T]) -> T:
        try:
            return _run(connection, body)
        except sqlite3.Error as error:
            raise failures.translated(error) from error


def _run(connection: sqlite3.Connection, body: Body[T]) -> T:
    return drive(body(SqliteTransaction(connection, time.time_ns() // 1_000)))


def _in_savepoint(body: Body[T], batch: Batch) -> T:
    batch.flush()  # what other operations have gathered is not part of this savepoint, and the body may read it
    batch.connection.execute("SAVEPOINT body")
    tx = SqliteTransaction(batch.connection, batch.now_us)
    try:
        value = drive(body(tx))
    except BaseException:
        if batch.connection.in_transaction:
            batch.connection.execute("ROLLBACK TO body")
            batch.connection.execute("RELEASE body")
        raise
    finally:
        batch.standings.forget()
        if tx.touched_budgets:
            batch.balances.forget()
    batch.connection.execute("RELEASE body")
    return value


def _end(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
