"""The transaction seam on Postgres: short transactions on pooled connections, tried again where that is safe."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import asyncpg

from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ports import Body
from airside.journal.postgres import failures
from airside.journal.postgres.connections import CONNECT_S_MAX
from airside.journal.postgres.failures import Fate
from airside.journal.postgres.transaction import SQL, PostgresTransaction, bound
from airside.journal.postgres.writer import Writer

T = TypeVar("T")
PATIENCE_S = 10.0
CLOCK_AGE_S_MAX = 1.0
RACES_MAX = 3
PAUSES_S = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)


class _CommitUnknownError(Exception):
    """The connection was lost while a commit was on its way."""

    def __init__(self, xid: str, server_started_us: int, value: Any) -> None:
        self.xid = xid
        self.server_started_us = server_started_us
        self.value = value
        super().__init__(xid)


class PostgresDatabase:
    """Implements core.ports.Database."""

    def __init__(self, pool: Any, writer: Writer) -> None:
        self._pool = pool
        self._writer = writer
        self._under_way: set[asyncio.Task[Any]] = set()
        self._clock_ahead_us = 0
        self._ask_clock_s = 0.0

    async def transact(self, body: Body[T]) -> T:
        """Run `body` in a writing transaction and return its value after the commit. Raising rolls back.

        The body may run several times: deadlocks, rows that another process wrote first, and lost connections start
        it anew. A caller that is cancelled does not stop the transaction. Raises AirsideError `conflict` for a row that
        contradicts another even then, `journal_unavailable` after PATIENCE_S.
        """
        unknown: _CommitUnknownError | None = None

        async def once(connection: Any) -> T:
            nonlocal unknown
            if unknown and await _was_committed(connection, unknown):
                value: T = unknown.value
                return value
            unknown = None
            try:
                return await _write(connection, body)
            except _CommitUnknownError as error:
                unknown = error
                raise

        return await self._complete(self.patiently(once))

    async def read(self, body: Body[T]) -> T:
        """Run `body` on a consistent snapshot. A write in it is refused by the database."""

        async def once(connection: Any) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await body(PostgresTransaction(connection, await connection.fetchval(SQL["now"].sql)))

        return await self.patiently(once)

    async def look_up(self, body: Body[T]) -> T:
        """Run `body`, a single look, on a connection of its own without a transaction around it."""

        async def once(connection: Any) -> T:
            return await body(PostgresTransaction(connection, await self._now_us(connection)))

        return await self.patiently(once)

    async def _now_us(self, connection: Any) -> int:
        """Return the database's clock, asked for once in a while: in between, our own clock tells how it goes on."""
        now_s = time.monotonic()
        if now_s >= self._ask_clock_s:
            now_us: int = await connection.fetchval(SQL["now"].sql)
            self._clock_ahead_us = now_us - int(time.monotonic() * SECOND_US)
            self._ask_clock_s = now_s + CLOCK_AGE_S_MAX
        return int(time.monotonic() * SECOND_US) + self._clock_ahead_us

    async def close(self) -> None:
        """Write what the journal has waiting, wait for transactions under way and close every connection."""
        await self._writer.close()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=PATIENCE_S)
        try:
            await asyncio.wait_for(self._pool.close(), PATIENCE_S)
        except TimeoutError:
            self._pool.terminate()

    async def patiently(self, once: Callable[[Any], Awaitable[T]]) -> T:
        """Run `once(connection)` and return its value, again with another connection as long as that may help.

        Raises what `once` raises if that is its own fault, AirsideError `journal_unavailable` after PATIENCE_S.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        races_left = RACES_MAX
        for pause_s in itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1])):
            connection, closed = None, True
            try:
                connection = await self._pool.acquire(timeout=CONNECT_S_MAX)
                try:
                    return await once(connection)
                finally:
                    closed = connection.is_closed()
                    await self._pool.release(connection)
            except Exception as error:
                fate = Fate.LOST if isinstance(error, _CommitUnknownError) else failures.fate(error, closed=closed)
                if isinstance(error, asyncpg.UniqueViolationError) and races_left:
                    races_left -= 1  # someone else wrote the row after the body had looked; now the body will see it
                elif fate is Fate.BLAMED:
                    raise failures.translated(error) from error
                if loop.time() + pause_s > deadline:
                    raise failures.unavailable(error) from error
            await asyncio.sleep(pause_s)
        raise AssertionError("the pauses never end")

    async def _complete(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if the caller has gone


async def _write(connection: Any, body: Body[T]) -> T:
    await connection.execute("BEGIN")
    try:
        begun = await connection.fetchrow(SQL["begun"].sql)
        value = await body(PostgresTransaction(connection, begun["now_us"]))
    except BaseException:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    try:
        status = await connection.execute("COMMIT")
    except Exception as error:
        if connection.is_closed() or failures.fate(error, closed=False) is Fate.LOST:
            connection.terminate()
            raise _CommitUnknownError(begun["xid"], begun["server_started_us"], value) from error
        raise
    if status != "COMMIT":  # Postgres answers a commit of a failed transaction with ROLLBACK
        raise AirsideError(Code.INTERNAL, "a transaction's body went on after one of its statements had failed")
    return value


async def _was_committed(connection: Any, unknown: _CommitUnknownError) -> bool:
    """Return what became of a transaction whose commit was under way when its connection was lost.

    Raises AirsideError `journal_unavailable` where it cannot be told: after a crash, numbers of transactions that left
    no trace on disk are given out again, so that a committed number proves nothing once the server was restarted.
    """
    sql, values = bound(SQL["fate"], {"xid": unknown.xid})
    try:
        row = await connection.fetchrow(sql, *values)
    except asyncpg.InvalidParameterValueError:
        return False
    if row["status"] == "in progress":
        raise TimeoutError
    if row["status"] == "committed" and row["server_started_us"] != unknown.server_started_us:
        raise AirsideError(
            Code.JOURNAL_UNAVAILABLE,
            "the database restarted in mid-commit, and whether the change was made is not known",
            advice="Look at the current state before trying again.",
        )
    return bool(row["status"] == "committed")
