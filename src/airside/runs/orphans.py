"""Calls that lost their executor between intent and outcome, and what is done about each (invariant 3).

A model call or a read is closed as lost, at its full reservation. A side effect that the tool lets us repeat stays
open, for the next attempt to send again under the same key. Any other side effect may or may not have happened: the
call and its run are held until a person has looked.
"""

from collections.abc import Sequence
from enum import StrEnum

from airside.core.call import CallState, Effect, Outcome
from airside.core.errors import Code
from airside.core.ports import Closing, Database, Journal, Query, Row, Transaction
from airside.core.run import TERMINAL, RunState, executor_of_attempt
from airside.journal import events
from airside.journal.queries import load
from airside.journal.rows import call_of
from airside.runs import transitions
from airside.runs.record import RunRecord
from airside.runs.signals import Signals
from airside.runs.verdicts import count_open_effects

_SQL = load("airside.runs", "attempts.sql")


class Fate(StrEnum):
    """What becomes of an orphaned call."""

    LOST = "lost"
    HELD = "held"
    KEPT = "kept"


def fate(*, side_effect: bool, idempotent: bool, run_ended: bool) -> Fate:
    """Return what becomes of a call whose executor is dead. Pure."""
    if not side_effect or run_ended:
        return Fate.LOST
    return Fate.KEPT if idempotent else Fate.HELD


class Orphans:
    """Finds orphaned calls and closes them."""

    def __init__(self, database: Database, journal: Journal, signals: Signals) -> None:
        self._database = database
        self._journal = journal
        self._signals = signals

    async def sweep(self) -> int:
        """Settle the open calls of dead executors, at most 200 at a time, and return how many there were."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["orphans"], now_us=tx.now_us)

        rows = await self._database.read(body)
        for row in rows:
            await self._settle(row)
        return len(rows)

    async def of_attempt(self, run: RunRecord) -> None:
        """Settle the calls that an attempt executed itself, now that its process is gone."""
        await self._each(
            _SQL["orphans_of_attempt"],
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            executor_id=executor_of_attempt(run.run_id, run.attempt),
        )

    async def open_effects(self, run: RunRecord) -> int:
        """Count the open side effects of a run that must not be sent twice."""

        async def body(tx: Transaction) -> int:
            calls = await tx.fetch(_SQL["unfinished_calls"], tenant_id=run.tenant_id, run_id=run.run_id)
            return count_open_effects(calls)

        return await self._database.read(body)

    async def _each(self, query: Query, **parameters: object) -> None:
        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(query, **parameters)

        for row in await self._database.read(body):
            await self._settle(row)

    async def _settle(self, row: Row) -> None:
        ended = RunState(row["run_state"]) in TERMINAL
        what = fate(side_effect=row["effect"] != Effect.READ, idempotent=bool(row["idempotent"]), run_ended=ended)
        if what is Fate.KEPT:
            return
        await self._journal.close(closing(row, CallState(what.value)))
        if what is Fate.HELD:
            await self._hold_run(row["tenant_id"], row["run_id"], row["name"])

    async def _hold_run(self, tenant_id: str, run_id: str, tool: str) -> None:
        message = f"it is not known whether {tool} happened; a person must look"

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.terminal or run.state is RunState.HELD:
                return run
            if run.state is RunState.RUNNING and run.supervised:
                return await transitions.ask_to_stop(tx, run, RunState.HELD, Code.OUTCOME_UNKNOWN.value, message)
            return await transitions.move(tx, run, RunState.HELD, code=Code.OUTCOME_UNKNOWN.value, message=message)

        self._signals.tell(await self._database.transact(body))


def closing(row: Row, state: CallState) -> Closing:
    """Return the closing of an open call, from its row joined with its run's, at its full reservation."""
    call = call_of(row)
    message = "the process that executed this call is gone, and no outcome is known"
    outcome = Outcome(state=state, body=b"", code=Code.OUTCOME_UNKNOWN.value, message=message, call_id=call.call_id)
    return Closing(
        call=call,
        state=state,
        event=events.outcome(call, outcome, b""),
        outcome=None,
        cost=None,
        tokens=None,
        code=outcome.code,
        message=message,
        delivered=False,
    )
