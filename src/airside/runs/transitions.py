"""The one way a run moves from state to state: under its lock, numbered, journaled, and told to its webhook."""

import json
from collections.abc import Sequence

import msgspec
from msgspec import structs

from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Entry, Row, Transaction
from airside.core.run import TERMINAL, RunState
from airside.journal import events
from airside.journal.queries import load
from airside.runs.record import RunRecord, of_row

_SQL = load("airside.runs", "runs.sql")

SUSPENSION_RANK = (
    RunState.PARKED,
    RunState.WAITING_APPROVAL,
    RunState.DIVERGED,
    RunState.HELD,
    RunState.ESCALATED,
    RunState.PARTIAL,
    RunState.CANCELLED,
)
"""What an attempt may be ended for, the weakest first: a stronger request replaces a weaker one."""


async def lock(tx: Transaction, tenant_id: str, run_id: str) -> RunRecord:
    """Lock a run's row and return it; raises `not_found`."""
    return _found(await tx.one(_SQL["lock"], tenant_id=tenant_id, run_id=run_id), run_id)


async def look(tx: Transaction, tenant_id: str, run_id: str) -> RunRecord:
    """Return a run as it stands, without locking it; raises `not_found`."""
    return _found(await tx.one(_SQL["get"], tenant_id=tenant_id, run_id=run_id), run_id)


def _found(row: Row | None, run_id: str) -> RunRecord:
    if row is None:
        raise AirsideError(Code.NOT_FOUND, f"there is no run {run_id[:100]}")
    return of_row(row)


async def insert(tx: Transaction, run: RunRecord, by: str = "") -> None:
    """Write a new run and the entry that it exists; `by` names the person or program that submitted it."""
    await tx.execute(_SQL["insert"], **msgspec.to_builtins(run, builtin_types=(bytes,)))
    await tx.append(state_entry(run, None, by))


async def move(
    tx: Transaction,
    run: RunRecord,
    state: RunState,
    *,
    code: str = "",
    message: str = "",
    by: str = "",
    also: Sequence[Entry] = (),
    **changes: object,
) -> RunRecord:
    """Move a locked run to `state` and return it as it then stands; `changes` are further fields of the row.

    Leaving `running` ends the attempt. A terminal state ends pending approvals and puts a webhook into the outbox.
    `by` names the person, if one did it; `also` are entries that are written before that of the transition.
    """
    assert not run.terminal, f"run {run.run_id} is {run.state} and stays so"
    ended_us = tx.now_us if state in TERMINAL else None
    moved = structs.replace(
        run, state=state, suspend=None, version=run.version + 1, code=code, message=message, ended_us=ended_us
    )
    moved = structs.replace(moved, **changes)
    await tx.execute(
        _SQL["save"],
        **{name: getattr(moved, name) for name in _SAVED},
        state=moved.state.value,
        suspend=None,
    )
    if run.state is RunState.RUNNING:
        await tx.execute(
            _SQL["end_attempt"],
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            attempt=run.attempt,
            now_us=tx.now_us,
            end_reason=state.value,
        )
    await tx.append(*also, state_entry(moved, run.state, by))
    if moved.terminal:
        await _close_books(tx, moved)
    return moved


def stronger(asked: RunState, current: RunState | None) -> bool:
    """Return whether a request to end the attempt replaces the one that already stands."""
    return current is None or SUSPENSION_RANK.index(asked) > SUSPENSION_RANK.index(current)


async def ask_to_stop(tx: Transaction, run: RunRecord, state: RunState, code: str, message: str) -> RunRecord:
    """Ask the worker of a locked, running run to end the attempt and leave the run in `state`."""
    if not stronger(state, run.suspend):
        return run
    await tx.execute(
        _SQL["ask_to_stop"],
        tenant_id=run.tenant_id,
        run_id=run.run_id,
        suspend=state.value,
        code=code,
        message=message,
    )
    return structs.replace(run, suspend=state, code=code, message=message)


async def pending_approvals(tx: Transaction, run: RunRecord) -> int:
    """Count the approvals of a run that wait for a person."""
    row = await tx.one(_SQL["count_pending_approvals"], tenant_id=run.tenant_id, run_id=run.run_id)
    return int(row["n"]) if row else 0


async def _close_books(tx: Transaction, run: RunRecord) -> None:
    if run.state is not RunState.SUCCEEDED:
        await tx.execute(_SQL["expire_approvals"], tenant_id=run.tenant_id, run_id=run.run_id, now_us=tx.now_us)
    if run.webhook_url:
        delivery_id = new_id("whd")
        await tx.execute(
            _SQL["add_webhook"],
            tenant_id=run.tenant_id,
            delivery_id=delivery_id,
            run_id=run.run_id,
            url=run.webhook_url,
            body=webhook_body(run),
            due_us=tx.now_us,
        )


def webhook_body(run: RunRecord) -> str:
    """Return the payload that tells a webhook how a run ended. It carries no content: the receiver asks for that."""
    return json.dumps({"type": f"run.{run.state.value}", "timestamp": run.ended_us, "data": run.public()})


def state_entry(run: RunRecord, before: RunState | None, by: str) -> Entry:
    """Return the journal entry of a transition. Messages stay out of it: they may hold personal data."""
    body = {
        "state": run.state.value,
        "from": before.value if before else None,
        "version": run.version,
        "attempt": run.attempt,
        "agent": run.agent,
        "release": run.release,
        "code": run.code,
        "by": by,
    }
    return events.entry(events.RUN_STATE, body, tenant_id=run.tenant_id, run_id=run.run_id)


_SAVED = (
    "tenant_id",
    "run_id",
    "version",
    "attempt",
    "crashes",
    "release",
    "result",
    "code",
    "message",
    "running_us",
    "ready_us",
    "started_us",
    "ended_us",
)
