"""The sums of policy inside a batch: locked, checked and added to with the intents, given back with the outcomes.

A batch without calls that are summed costs nothing here.
"""

from collections.abc import Sequence
from typing import Any

from airside.core.call import Call, CallState
from airside.core.policy import Counter
from airside.core.ports import Refused
from airside.journal import counters, queries
from airside.journal.postgres.operations import Close, Open, Operation
from airside.journal.postgres.transaction import bound, columns

SQL = queries.load(__package__, "counting.sql")
_Called = tuple[str, str, str]
_Sum = tuple[str, str, int]


class Counting:
    """The sums that one batch touches."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._moved: dict[_Sum, int] = {}
        self._counted: dict[_Called, dict[str, Counter]] = {}
        self._changed: set[_Sum] = set()
        self._noted: list[tuple[object, ...]] = []
        self._forgotten: list[_Called] = []

    async def lock(self, operations: Sequence[Operation]) -> None:
        """Read what the calls have added before, and lock all sums they may change."""
        calls = [o.call for o in operations if isinstance(o, Open | Close) and counters.counters_of(o.call)]
        if not calls:
            return
        called = [_called(call) for call in calls]
        for row in await self._fetch("counted", _named(("tenant_ids", "run_ids", "call_ids"), called)):
            key = (row["tenant_id"], row["run_id"], row["call_id"])
            counter = Counter(row["name"], row["period_start_us"], row["amount"], counters.SUM_MAX)
            self._counted.setdefault(key, {})[counter.name] = counter
        touched = {
            (call.who.tenant_id, counter.name, counter.period_start_us)
            for call in calls
            for counter in [*counters.counters_of(call), *self._before(call).values()]
        }
        keys = _keys(sorted(touched))
        await self._fetch("begin_sums", keys)
        for row in await self._fetch("lock_sums", keys):
            self._moved[row["tenant_id"], row["name"], row["period_start_us"]] = row["moved"]

    def full(self, call: Call, now_us: int) -> Refused | None:
        """Return why a sum has no room for the call, or None."""
        for counter in self._fresh(call):
            refused = counters.full(counter, self._moved[_sum(call, counter)], now_us)
            if refused:
                return refused
        return None

    def add(self, call: Call) -> None:
        """Add what the call adds to its sums, once."""
        for counter in self._fresh(call):
            self._change(call, counter, counter.amount)
            self._noted.append((*_called(call), counter.name, counter.period_start_us, counter.amount))

    def close(self, call: Call, state: CallState) -> None:
        """Give back what certainly did not happen; forget what cannot change any more."""
        before = self._counted.pop(_called(call), {})
        if not before or not counters.final(state):
            return
        if counters.not_done(state):
            for counter in before.values():
                self._change(call, counter, -counter.amount)
        self._forgotten.append(_called(call))

    async def write(self) -> None:
        """Write what has changed."""
        if self._forgotten:
            await self._fetch("forget", _named(("tenant_ids", "run_ids", "call_ids"), self._forgotten))
        if self._noted:
            names = ("tenant_ids", "run_ids", "call_ids", "names", "starts_us", "amounts")
            await self._fetch("note", _named(names, self._noted))
        if self._changed:
            changed = sorted(self._changed)
            await self._fetch("write_sums", _keys(changed) | {"moved": [self._moved[key] for key in changed]})

    def _before(self, call: Call) -> dict[str, Counter]:
        return self._counted.get(_called(call), {})

    def _fresh(self, call: Call) -> list[Counter]:
        before = self._before(call)
        return [counter for counter in counters.counters_of(call) if counter.name not in before]

    def _change(self, call: Call, counter: Counter, by: int) -> None:
        key = _sum(call, counter)
        self._moved[key] = max(0, min(self._moved[key] + by, counters.SUM_MAX))
        self._changed.add(key)

    async def _fetch(self, name: str, parameters: dict[str, Any]) -> Sequence[Any]:
        sql, values = bound(SQL[name], parameters)
        found: Sequence[Any] = await self._connection.fetch(sql, *values)
        return found


def _called(call: Call) -> _Called:
    return call.who.tenant_id, call.who.run_id, call.call_id


def _sum(call: Call, counter: Counter) -> _Sum:
    return call.who.tenant_id, counter.name, counter.period_start_us


def _keys(sums: Sequence[_Sum]) -> dict[str, Any]:
    return _named(("tenant_ids", "names", "starts_us"), sums)


def _named(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, Any]:
    return dict(zip(names, columns(rows, len(names)), strict=True))
