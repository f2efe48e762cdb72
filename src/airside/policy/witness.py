"""Knows who began the run, at which stage its release is, and how the sums stand that its calls count in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from airside.core.call import Call
from airside.core.money import NanoUsd
from airside.core.policy import Counter, Facts
from airside.core.ports import Database, Transaction
from airside.core.tool import Tool
from airside.journal.queries import load

_SQL = load("airside.policy", "sums.sql")


class Counting(Protocol):
    """A policy that sums."""

    def counters(self, call: Call, tool: Tool) -> Sequence[Counter]:
        """Return the counters that a call would add to."""
        ...


class PolicyWitness:
    """Implements core.ports.Witness. The database is asked only for calls that some rule sums."""

    def __init__(self, policy: Counting, database: Database, stage_of: Callable[[str], str]) -> None:
        self._policy = policy
        self._database = database
        self._stage_of = stage_of

    async def __call__(self, call: Call, tool: Tool, facts: Facts) -> Facts:
        """Return the facts with `caller`, `stage` and `moved`."""
        facts = replace(facts, caller=call.who.caller, stage=self._stage_of(call.who.agent))
        counters = self._policy.counters(replace(call, facts=facts), tool)
        return replace(facts, moved=await self._moved(call, counters)) if counters else facts

    async def _moved(self, call: Call, counters: Sequence[Counter]) -> Mapping[str, NanoUsd]:
        who = call.who

        async def body(tx: Transaction) -> Mapping[str, NanoUsd]:
            rows = await tx.fetch(_SQL["counted"], tenant_id=who.tenant_id, run_id=who.run_id, call_id=call.call_id)
            own = {row["name"]: int(row["amount"]) for row in rows}
            moved = {}
            for counter in counters:
                row = await tx.one(
                    _SQL["moved"],
                    tenant_id=who.tenant_id,
                    name=counter.name,
                    period_start_us=counter.period_start_us,
                )
                moved[counter.name] = NanoUsd((int(row["moved"]) if row else 0) - own.get(counter.name, 0))
            return moved

        return await self._database.look_up(body)
