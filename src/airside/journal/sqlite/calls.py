"""What happens to a call inside the writer's transaction: admission, settlement, refusal, claiming.

Each function reads and decides first and writes last, so that one that raises has changed nothing (see Writer).
"""

import sqlite3
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from airside.core import budget
from airside.core.budget import Balance, Granted
from airside.core.call import REPLAYABLE, Call, CallState, Effect
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.core.ports import Admission, Admitted, Closed, Closing, Entry, Opening, Recorded, Refused, Sealed
from airside.core.run import Identity
from airside.core.text import storable
from airside.journal import queries
from airside.journal.sqlite import counting
from airside.journal.sqlite.standings import Held
from airside.journal.sqlite.transaction import prepared
from airside.journal.sqlite.writer import Batch

_SQL = {
    name: (sql, itemgetter(*names))
    for name, query in queries.load(__package__, "calls.sql").items()
    for sql, names in [prepared(query.text("sqlite"))]
}
AMOUNT_MAX = 10**15  # nano-dollars (a million dollars) or tokens of one call; totals stay far below 2**63
_RECORDED = Recorded.__struct_fields__


class Standing(NamedTuple):
    """How run, attempt and call stand before an intent; see the statement of this name. None where no row is."""

    run_state: str
    run_code: str
    run_attempt: int
    attempt: int | None
    attempt_ended_us: int | None
    state: str | None
    occurrence: int
    reserved_nanousd: int | None
    reserved_tokens: int | None
    budget_path: str
    occurrence_last: int | None


def run(connection: sqlite3.Connection, name: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
    """Run a statement of calls.sql; it takes the parameters that it names."""
    sql, in_order = _SQL[name]
    return connection.execute(sql, in_order(parameters))


def open_call(batch: Batch, opening: Opening) -> Admission:
    """Fence, check the approval, reserve, and write the intent. See core.ports.Journal.open."""
    call, who = opening.call, opening.call.who
    most = call.need.output_tokens
    if call.need.nanousd(most) > AMOUNT_MAX or call.need.tokens(most) > AMOUNT_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the call may need more than {AMOUNT_MAX} nano-dollars or tokens")
    refused = counting.full(batch, call)
    if refused:
        return refused
    admission: Admission | None = None
    if (
        call.try_number == 1
        and not call.approval_id
        and batch.standings.is_live(who.tenant_id, who.run_id, who.attempt)
    ):
        admission = _open_first(batch, opening)
    admission = admission or _open_known(batch, opening)
    if isinstance(admission, Admitted):
        counting.add(batch, call)
    return admission


def _open_first(batch: Batch, opening: Opening) -> Admission | None:
    """Open what is most probably the first call of its kind, asking nothing; None if the database knows better."""
    call, who = opening.call, opening.call.who
    path = batch.balances.path(who.tenant_id, who.budget_path)
    before = _noted(path)
    verdict = budget.admit(path, call.need, call.kind)
    if not isinstance(verdict, Granted):
        return verdict
    try:
        _write_open(batch, opening, verdict, 0)
    except sqlite3.IntegrityError:  # the call's id, or its request, has a row already
        _restore(before)
        return None
    except Exception:
        _restore(before)
        raise
    return Admitted(verdict, 0, batch.now_us)


def _open_known(batch: Batch, opening: Opening) -> Admission:
    """Open a call after asking for all that is known of its run, attempt, approval, and earlier tries."""
    call, who = opening.call, opening.call.who
    key = {"tenant_id": who.tenant_id, "run_id": who.run_id, "call_id": call.call_id}
    asked = key | {"request_hash": call.request_hash, "attempt": who.attempt}
    row = run(batch.connection, "standing", asked).fetchone()
    if row is None:
        return Refused(Code.ATTEMPT_SUPERSEDED, "the run of this call does not exist")
    standing = Standing(*row)
    refused = _fence(standing, who.attempt, idempotent=call.idempotent) or _approval_gone(batch, call, key)
    if refused:
        return refused
    batch.standings.passed(who.tenant_id, who.run_id, who.attempt)
    resent = standing.state == "open"
    nodes = _nodes(standing.budget_path) if resent else ()
    earlier = batch.balances.path(who.tenant_id, nodes)
    path = batch.balances.path(who.tenant_id, who.budget_path)
    before = _noted([*earlier, *path])
    # What the dead executor of a call that is sent again has used is unknown: its whole reservation is spent.
    lost = Granted(NanoUsd(standing.reserved_nanousd or 0), standing.reserved_tokens or 0, 0)
    budget.settle(earlier, lost, lost.nanousd, lost.tokens, model_answered=False)
    verdict = budget.admit(path, call.need, call.kind)
    if not isinstance(verdict, Granted):
        _restore(before)
        return verdict
    known = standing.state is not None
    last = -1 if standing.occurrence_last is None else standing.occurrence_last
    occurrence = standing.occurrence if known else last + 1
    try:
        _write_open(batch, opening, verdict, occurrence, known=known, lost=lost if resent else None)
    except Exception:
        _restore(before)
        raise
    batch.balances.changed(who.tenant_id, nodes)
    if call.approval_id:
        run(batch.connection, "consume_approval", key | {"approval_id": call.approval_id})
    return Admitted(verdict, occurrence, batch.now_us)


def _write_open(
    batch: Batch,
    opening: Opening,
    granted: Granted,
    occurrence: int,
    *,
    known: bool = False,
    lost: Granted | None = None,
) -> None:
    """Write the row of an open call with its reservation, its intent, and what it sends; all or, raising, nothing."""
    call, who = opening.call, opening.call.who
    values = _columns(call, batch.now_us) | {
        "tenant_id": who.tenant_id,
        "run_id": who.run_id,
        "call_id": call.call_id,
        "state": "open",
        "occurrence": occurrence,
        "executor_id": opening.executor_id,
        "reserved_nanousd": granted.nanousd,
        "reserved_tokens": granted.tokens,
        "output_tokens_granted": granted.output_tokens,
        "settled_nanousd": lost.nanousd if lost else 0,
        "settled_tokens": lost.tokens if lost else 0,
    }
    cursor = run(batch.connection, "reopen_call" if known else "add_call", values)
    if cursor.lastrowid and not known:
        held = Held(
            cursor.lastrowid, call.kind.value, granted.nanousd, granted.tokens, granted.output_tokens, who.budget_path
        )
        batch.standings.opened(who.tenant_id, who.run_id, call.call_id, held)
    batch.balances.changed(who.tenant_id, who.budget_path)
    batch.append(opening.intent)
    for content in opening.contents:
        batch.store(content)


def close_call(batch: Batch, closing: Closing) -> Closed:
    """Settle and write the outcome of an open call. See core.ports.Journal.close."""
    call, who = closing.call, closing.call.who
    held = batch.standings.take(who.tenant_id, who.run_id, call.call_id)
    if held is None:
        key = {"tenant_id": who.tenant_id, "run_id": who.run_id, "call_id": call.call_id}
        row = run(batch.connection, "reservation", key).fetchone()
        if row is None or row[1] != "open":
            return Closed((row and row[7]) or batch.now_us)
        held = Held(row[0], row[2], row[3], row[4], row[5], _nodes(row[6]))
    reserved = Granted(NanoUsd(held.nanousd), held.tokens, held.output_tokens)
    cost = _bounded(held.nanousd if closing.cost is None else closing.cost)
    used = _bounded(held.tokens if closing.tokens is None else closing.tokens)
    values = {
        "state": closing.state.value,
        "cost": cost,
        "tokens": used,
        "upstream": storable(closing.upstream),
        "code": closing.code,
        "message": storable(closing.message),
        "outcome": closing.outcome.content_id if closing.outcome else None,
        "attempt": who.attempt,
        "delivered": int(closing.delivered),
        "now_us": batch.now_us,
        "row": held.row,
    }
    balances = batch.balances.path(who.tenant_id, held.nodes)
    run(batch.connection, "close_call", values)
    answered = held.kind == "model" and closing.state is CallState.OK
    budget.settle(balances, reserved, NanoUsd(cost), used, model_answered=answered)
    batch.balances.changed(who.tenant_id, held.nodes)
    counting.close(batch, call, closing.state)
    batch.append(closing.event)
    if closing.outcome:
        batch.answer(call.call_id, closing.outcome)
    return Closed(batch.now_us, budget.fills(balances))


def refuse_call(
    batch: Batch, call: Call, state: CallState, event: Entry, outcome: Sealed | None, error: Refused
) -> None:
    """Record a call that did not leave. See core.ports.Journal.refuse."""
    who = call.who
    key = {"tenant_id": who.tenant_id, "run_id": who.run_id, "call_id": call.call_id}
    if state in REPLAYABLE:
        found = key | {"request_hash": call.request_hash}
        occurrence, known = run(batch.connection, "next_occurrence", found).fetchone()
        if not known:
            values = _columns(call, batch.now_us) | {
                "state": state.value,
                "occurrence": occurrence,
                "executor_id": "",
                "reserved_nanousd": 0,
                "reserved_tokens": 0,
                "output_tokens_granted": 0,
                "code": error.code.value,
                "message": storable(error.message),
                "outcome": outcome.content_id if outcome else None,
                "closed_us": batch.now_us,
            }
            run(batch.connection, "add_call", key | values)
    batch.append(event)
    if outcome:
        batch.answer(call.call_id, outcome)


def asked_for(identity: Identity, request_hash: bytes, request_key: bytes) -> dict[str, Any]:
    """Return the parameters of `claimable` and `claim`."""
    return {
        "tenant_id": identity.tenant_id,
        "run_id": identity.run_id,
        "attempt": identity.attempt,
        "request_hash": request_hash,
        "request_key": request_key or None,
    }


def claim_call(batch: Batch, identity: Identity, request_hash: bytes, request_key: bytes) -> Recorded | None:
    """Claim what this request may be given. See core.ports.Journal.claim."""
    batch.flush()  # the answer may have been stored in this very batch
    row = run(batch.connection, "claim", asked_for(identity, request_hash, request_key)).fetchall()
    return recorded(batch.connection, identity, row[0][0], batch.now_us) if row else None


def recorded(connection: sqlite3.Connection, identity: Identity, call_id: str, now_us: int) -> Recorded | None:
    """Return a call as it stands."""
    values = {
        "tenant_id": identity.tenant_id,
        "run_id": identity.run_id,
        "call_id": call_id,
        "now_us": now_us,
    }
    row = run(connection, "recorded", values).fetchone()
    if row is None:
        return None
    known = dict(zip(_RECORDED, row, strict=True))
    known["state"], known["effect"] = CallState(known["state"]), Effect(known["effect"])
    for flag in ("idempotent", "executor_alive", "edited"):
        known[flag] = bool(known[flag])
    return Recorded(**known)


def _fence(standing: Standing, attempt: int, *, idempotent: bool) -> Refused | None:
    if standing.run_state == "cancelled" and standing.run_code != Code.KILLED:
        return Refused(Code.CANCELLED, "the run was cancelled")
    if standing.run_code == Code.KILLED:
        return Refused(Code.KILLED, "the run was killed")
    if standing.run_attempt != attempt or standing.attempt is None or standing.attempt_ended_us is not None:
        return Refused(Code.ATTEMPT_SUPERSEDED, f"attempt {attempt} of the run is over")
    if standing.run_state != "running":
        return Refused(Code.ATTEMPT_SUPERSEDED, f"the run is {standing.run_state}")
    if standing.state in {"ok", "error", "denied"}:
        return Refused(Code.CONFLICT, f"the call already has an outcome: {standing.state}")
    if standing.state == "held" and not idempotent:
        return Refused(Code.OUTCOME_UNKNOWN, "the call is held: whether it had its effect is not known")
    return None


def _approval_gone(batch: Batch, call: Call, key: dict[str, Any]) -> Refused | None:
    if not call.approval_id:
        return None
    values = {
        "approval_id": call.approval_id,
        "tool": call.name,
        "edited": int(call.edited),
        "request_hash": call.request_hash,
        "now_us": batch.now_us,
    }
    if run(batch.connection, "approval", key | values).fetchone():
        return None
    return Refused(Code.APPROVAL_EXPIRED, "the approval is not valid for this call, or no longer, or was used")


def _columns(call: Call, now_us: int) -> dict[str, Any]:
    return {
        "kind": call.kind.value,
        "name": call.name,
        "effect": call.effect.value,
        "idempotent": int(call.idempotent),
        "request_hash": call.request_hash,
        "request_key": call.request_key or None,
        "attempt": call.who.attempt,
        "try_number": call.try_number,
        "budget_path": _path(call.who.budget_path),
        "approval_id": call.approval_id,
        "edited": int(call.edited),
        "code": "",
        "message": "",
        "outcome": None,
        "now_us": now_us,
        "closed_us": None,
    }


def _noted(path: list[tuple[str, Balance]]) -> list[tuple[Balance, tuple[Any, ...]]]:
    return [(balance, msgspec.structs.astuple(balance)) for _, balance in path]


def _restore(before: list[tuple[Balance, tuple[Any, ...]]]) -> None:
    for balance, values in before:
        for field, value in zip(Balance.__struct_fields__, values, strict=True):
            setattr(balance, field, value)


def _bounded(amount: int) -> int:
    return min(max(amount, 0), AMOUNT_MAX)


@lru_cache(maxsize=4_096)
def _path(nodes: tuple[str, ...]) -> str:
    return msgspec.json.encode(nodes).decode()


@lru_cache(maxsize=4_096)
def _nodes(path: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(path))
