"""Held runs: a side effect may or may not have happened, and a person who has looked says which.

What they say becomes the call's outcome in the journal: `happened` is replayed to the agent like any answer,
`not_happened` lets the agent's next try leave. Nothing is decided by a default.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from airside.core import canonical
from airside.core.call import CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, Sealed, Transaction
from airside.core.run import RunState
from airside.journal import events
from airside.journal.queries import load
from airside.journal.rows import call_of
from airside.runs import transitions
from airside.runs.cursor import BEGINNING, PAGE_MAX, cursor_of, place_of
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "held.sql")

RESULT_BYTES_MAX = 1_048_576


class Finding(StrEnum):
    """What a person found about a held call."""

    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"


class HeldCall(Struct, frozen=True):
    """A call whose outcome nobody knows."""

    call_id: str
    tool: str
    attempt: int
    opened_us: int
    run_id: str
    agent: str


class HeldPage(Struct, frozen=True):
    """Some held calls and the cursor of the next page; an empty cursor is the end."""

    calls: Sequence[HeldCall]
    cursor: str


class Held:
    """Shows and resolves what held runs wait for."""

    def __init__(self, database: Database, keyring: Keyring, signals: Signals) -> None:
        self._database = database
        self._keyring = keyring
        self._signals = signals

    async def calls(self, tenant_id: str, run_id: str) -> Sequence[HeldCall]:
        """Return the calls that hold a run, the oldest first."""
        rows = await self._database.read(lambda tx: _held(tx, tenant_id, run_id))
        return [_call(row) for row in rows]

    async def queue(self, tenant_id: str, *, cursor: str = "", limit: int = 50) -> HeldPage:
        """Return the held calls of all runs of a tenant, the longest wait first; at most 200."""
        after_us, after_id = place_of(cursor, BEGINNING)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> list[HeldCall]:
            rows = await tx.fetch(_SQL["queue"], tenant_id=tenant_id, after_us=after_us, after_id=after_id, n=size + 1)
            return [_call(row) for row in rows]

        found = await self._database.read(body)
        last = found[size - 1] if len(found) > size else None
        return HeldPage(found[:size], cursor_of(last.opened_us, last.call_id) if last else "")

    async def resolve(
        self, tenant_id: str, run_id: str, finding: Finding, by: str, *, call_id: str = "", result: bytes = b""
    ) -> RunRecord:
        """Record what a person found about the held calls of a run, or of one call, and let the run go on.

        The run is queued once no call of it is held any more. `result` is what the tool would have answered, as JSON,
        if it happened. Raises `conflict` unless the run is held, `not_found` for a call that is not.
        """
        answer = canonical.encode(
            canonical.parse(result, bytes_max=RESULT_BYTES_MAX)
            if result
            else {"confirmed": "a person saw that it happened"}
        )
        run = await self._database.read(lambda tx: transitions.look(tx, tenant_id, run_id))
        key = await self._keyring.subject(tenant_id, run.subject)
        sealed = key.seal(b'{"result":' + answer + b"}")  # the form in which the tool gateway keeps answers

        async def body(tx: Transaction) -> RunRecord:
            now = await _run(tx, tenant_id, run_id)
            rows = await _held(tx, tenant_id, run_id)
            chosen = [row for row in rows if not call_id or row["call_id"] == call_id]
            if call_id and not chosen:
                raise AirsideError(Code.NOT_FOUND, f"no call {call_id[:100]} of this run is held")
            for row in chosen:
                await _resolve(tx, row, finding, sealed, by)
            if len(chosen) < len(rows):
                return now
            return await transitions.move(tx, now, RunState.QUEUED, by=by, ready_us=tx.now_us)

        moved = await self._database.transact(body)
        self._signals.tell(moved)
        return moved

    async def fail(self, tenant_id: str, run_id: str, by: str) -> RunRecord:
        """Give a held run up; raises `conflict` unless it is held."""

        async def body(tx: Transaction) -> RunRecord:
            now = await _run(tx, tenant_id, run_id)
            message = "given up: the outcome of a side effect is unknown"
            return await transitions.move(
                tx, now, RunState.FAILED, code=Code.OUTCOME_UNKNOWN.value, message=message, by=by
            )

        moved = await self._database.transact(body)
        self._signals.tell(moved)
        return moved


def _call(row: Row) -> HeldCall:
    return HeldCall(row["call_id"], row["name"], row["attempt"], row["opened_us"], row["run_id"], row["agent"])


async def _run(tx: Transaction, tenant_id: str, run_id: str) -> RunRecord:
    run = await transitions.lock(tx, tenant_id, run_id)
    if run.state is not RunState.HELD:
        raise AirsideError(Code.CONFLICT, f"the run is not held: it is {run.state}")
    return run


async def _held(tx: Transaction, tenant_id: str, run_id: str) -> Sequence[Row]:
    return await tx.fetch(_SQL["held_calls"], tenant_id=tenant_id, run_id=run_id)


async def _resolve(tx: Transaction, row: Row, finding: Finding, sealed: Sealed, by: str) -> None:
    happened = finding is Finding.HAPPENED
    state = CallState.OK if happened else CallState.TRANSIENT
    message = f"{by} found: {finding.value}"
    if happened:
        key = {"tenant_id": row["tenant_id"], "call_id": row["call_id"]}
        await tx.execute(_SQL["add_answer"], **key, content_id=sealed.content_id, sealed=sealed.blob)
    await tx.execute(
        _SQL["resolve"],
        tenant_id=row["tenant_id"],
        run_id=row["run_id"],
        call_id=row["call_id"],
        state=state.value,
        outcome=sealed.content_id if happened else None,
        code="",
        message=message,
        now_us=tx.now_us,
    )
    outcome = Outcome(state=state, body=b"", upstream=f"person:{by}", message=message)
    await tx.append(events.outcome(call_of(row), outcome, sealed.content_id if happened else b""))
