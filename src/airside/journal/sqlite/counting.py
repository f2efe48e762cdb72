"""The sums of policy in the writer's transaction: checked and added to with an intent, given back with an outcome."""

import sqlite3
from operator import itemgetter
from typing import Any

from airside.core.call import Call, CallState
from airside.core.ports import Refused
from airside.journal import counters, queries
from airside.journal.sqlite.transaction import prepared
from airside.journal.sqlite.writer import Batch

_SQL = {
    name: (sql, itemgetter(*names))
    for name, query in queries.load(__package__, "counting.sql").items()
    for sql, names in [prepared(query.text("sqlite"))]
}


def full(batch: Batch, call: Call) -> Refused | None:
    """Return why a sum has no room for the call, or None. What the call has added already is not asked again."""
    if not counters.counters_of(call):
        return None
    already = {name for name, _, _ in _counted(batch, call)}
    for counter in counters.counters_of(call):
        if counter.name in already:
            continue
        place = {"name": counter.name, "period_start_us": counter.period_start_us}
        row = _run(batch, "moved", place | {"tenant_id": call.who.tenant_id}).fetchone()
        refused = counters.full(counter, row[0] if row else 0, batch.now_us)
        if refused:
            return refused
    return None


def add(batch: Batch, call: Call) -> None:
    """Add what the call adds to its sums, once."""
    if not counters.counters_of(call):
        return
    already = {name for name, _, _ in _counted(batch, call)}
    for counter in counters.counters_of(call):
        if counter.name not in already:
            values = {"name": counter.name, "period_start_us": counter.period_start_us, "amount": counter.amount}
            _run(batch, "add", values | _key(call))
            _run(batch, "note", values | _key(call))


def close(batch: Batch, call: Call, state: CallState) -> None:
    """Give back what certainly did not happen; forget what cannot change any more."""
    if not counters.counters_of(call) or not counters.final(state):
        return
    if counters.not_done(state):
        for name, period_start_us, amount in _counted(batch, call):
            values = {"name": name, "period_start_us": period_start_us, "amount": -amount}
            _run(batch, "add", values | _key(call))
    _run(batch, "forget", _key(call))


def _counted(batch: Batch, call: Call) -> list[tuple[str, int, int]]:
    return _run(batch, "counted", _key(call)).fetchall()


def _key(call: Call) -> dict[str, Any]:
    return {"tenant_id": call.who.tenant_id, "run_id": call.who.run_id, "call_id": call.call_id}


def _run(batch: Batch, name: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
    sql, in_order = _SQL[name]
    return batch.connection.execute(sql, in_order(parameters))
