"""Group commit on one connection: operations gather on the event loop while the last batch is under way. Where many
come together, the next batch waits GATHER_S for company: a batch costs much, and one more operation in it little.

No operation is reported before its commit. A lost connection leaves open whether the last batch was committed: its
operations are done again on a new connection, which changes nothing for those that were (see `rulings.repeated` and
`batch`). What cannot be done in time fails with `journal_unavailable`; outcomes are kept and written when the database
is back, and intents that nobody waits for any more are taken back.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg

from airside.core.call import CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.money import ZERO
from airside.core.ports import Admitted, Closing
from airside.journal import events
from airside.journal.postgres import batch, connections, failures
from airside.journal.postgres.failures import Fate
from airside.journal.postgres.operations import Close, Open, Operation, Refuse

OPERATIONS_MAX = 256
BATCH_BYTES_MAX = 33_554_432
WAITING_MAX = 20_000
CROWD = 4  # operations in the last batch from which on the next one waits for company
ENOUGH = 64  # operations that are company enough
GATHER_S = 0.004
TOGETHER_TRIES = 3
PAUSE_S_MAX = 0.25
CLOSE_S_MAX = 10.0


class Writer:
    """Owns one connection and the queue in front of it. Belongs to the event loop it is used on."""

    def __init__(self, url: str, patience_s: float) -> None:
        self._url = url
        self._patience_s = patience_s
        self._connection: Any = None
        self._waiting: deque[Operation] = deque()
        self._working: asyncio.Task[None] | None = None
        self._closed = False
        self._troubles = 0

    def deadline_s(self) -> float:
        """Return the loop time until which an operation that is submitted now is tried."""
        return asyncio.get_running_loop().time() + self._patience_s

    def submit(self, operation: Operation) -> None:
        """Put an operation into the next batch. Raises AirsideError `journal_unavailable` if too many wait already."""
        if self._closed or len(self._waiting) >= WAITING_MAX:
            why = "the journal is closed" if self._closed else f"{WAITING_MAX} operations wait for the journal already"
            raise AirsideError(Code.JOURNAL_UNAVAILABLE, why)
        self._enqueue(operation)

    async def close(self) -> None:
        """Refuse new operations, write those that wait, and disconnect; gives up after CLOSE_S_MAX."""
        self._closed = True
        if self._working:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._working, CLOSE_S_MAX)
        if self._connection:
            await self._disconnect()

    def _enqueue(self, operation: Operation) -> None:
        self._waiting.append(operation)
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = self._take()
                await self._commit(taken, TOGETHER_TRIES)
                crowded = len(taken) >= CROWD and len(self._waiting) < ENOUGH and not self._closed
                # The callers just woken put their next operations into the next batch, and so do others in a crowd.
                await asyncio.sleep(GATHER_S if crowded else 0)
        finally:
            self._working = None

    def _take(self) -> list[Operation]:
        taken: list[Operation] = []
        size = 0
        while self._waiting and len(taken) < OPERATIONS_MAX and size < BATCH_BYTES_MAX:
            operation = self._waiting.popleft()
            if not operation.doubtful and isinstance(operation, Open) and operation.future.done():
                continue  # its caller has gone before anything was written
            size += operation.bytes_sealed
            taken.append(operation)
        return taken

    async def _commit(self, operations: Sequence[Operation], tries_left: int) -> None:
        if not operations:
            return
        outcome = (await asyncio.gather(self._run(operations), return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            closed = self._connection is None or self._connection.is_closed()
            await self._failed(operations, outcome, failures.fate(outcome, closed=closed), tries_left)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            self._troubles = 0
            for operation, result in zip(operations, outcome, strict=True):
                self._deliver(operation, result)

    async def _run(self, operations: Sequence[Operation]) -> list[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            self._connection = await connections.connect(self._url)
        return await batch.run(self._connection, operations)

    async def _failed(self, operations: Sequence[Operation], error: Exception, fate: Fate, tries_left: int) -> None:
        if isinstance(error, asyncpg.UniqueViolationError):
            fate = Fate.AGAIN  # another process was faster with an occurrence, or this is the trace of a lost commit
        if fate is Fate.LOST:
            for operation in operations:
                operation.doubtful = operation.doubtful or self._connection is not None
            await self._disconnect()
            await self._again(operations, error)
        elif fate is Fate.AGAIN and tries_left > 1:
            await self._commit(operations, tries_left - 1)
        elif len(operations) > 1:
            for operation in operations:
                await self._commit([operation], TOGETHER_TRIES)
        elif fate is Fate.AGAIN and not isinstance(error, asyncpg.UniqueViolationError):
            await self._again(operations, error)
        else:
            self._fail(operations[0], failures.translated(error))

    async def _again(self, operations: Sequence[Operation], error: Exception) -> None:
        """Put operations back to the front, except those whose time is over, and wait a little."""
        now_s = asyncio.get_running_loop().time()
        for operation in reversed(operations):
            if now_s < operation.deadline_s:
                self._waiting.appendleft(operation)
            else:
                self._expire(operation, error)
        for operation in [waiting for waiting in self._waiting if now_s >= waiting.deadline_s]:
            self._waiting.remove(operation)
            self._expire(operation, error)
        self._troubles += 1
        await asyncio.sleep(min(0.01 * 2 ** min(self._troubles, 10), PAUSE_S_MAX))

    def _expire(self, operation: Operation, error: Exception) -> None:
        """Tell the caller that the journal is unavailable, and keep what must still become true."""
        self._fail(operation, failures.unavailable(error))
        operation.deadline_s = float("inf")
        if isinstance(operation, Close):
            operation.late = True
            self._waiting.append(operation)
        elif isinstance(operation, Refuse):
            self._waiting.append(operation)
        elif isinstance(operation, Open) and operation.doubtful:
            self._waiting.append(_taken_back(operation))

    def _deliver(self, operation: Operation, result: Any) -> None:
        if not operation.future.done():
            operation.future.set_result(result)
        elif isinstance(operation, Open) and isinstance(result, Admitted):
            self._waiting.append(_taken_back(operation))

    def _fail(self, operation: Operation, error: BaseException) -> None:
        if not operation.future.done():
            operation.future.set_exception(error)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(Exception):
            await connection.close(timeout=1.0)
        connection.terminate()


def _taken_back(operation: Open) -> Close:
    """Return the outcome of an intent whose caller was not told of it: this try never left and cost nothing."""
    call = operation.call
    state, code = (CallState.HELD, Code.OUTCOME_UNKNOWN) if call.in_doubt else (CallState.CANCELLED, Code.CANCELLED)
    outcome = Outcome(state=state, body=b"", code=code, message="the client had gone")
    closing = Closing(
        call=call,
        state=state,
        event=events.outcome(call, outcome, b""),
        outcome=None,
        cost=ZERO,
        tokens=0,
        code=outcome.code,
        message=outcome.message,
        delivered=False,
    )
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return Close(future=future, deadline_s=float("inf"), closing=closing, late=True)
