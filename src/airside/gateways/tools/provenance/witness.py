"""Tells rules of a call's provenance and plan: where its arguments come from, and whether its run has planned it."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from airside.core.call import Call
from airside.core.policy import Facts
from airside.core.ports import Database, SecretWatch, Transaction
from airside.core.tool import Tool
from airside.gateways.tools.provenance.past import Known, Past
from airside.journal.queries import load
from airside.policy.plans.facts import Told, told
from airside.policy.plans.plan import Plan
from airside.policy.plans.standing import concerns
from airside.policy.provenance.leaving import sends
from airside.policy.provenance.paths import leaves

_SQL = load("airside.gateways.tools.provenance", "provenance.sql")
WATCHED_CHARS_MAX: Final = 1_000_000


class Standing(Struct, frozen=True):
    """What a call is judged by: what is known of its run, its plan, and which secrets others see leaving."""

    known: Known
    plan: Plan | None
    secrets: tuple[str, ...]


class ProvenanceWitness:
    """Implements `ports.Witness`. `plans` are those of agents, for runs that were given none."""

    def __init__(
        self, past: Past, database: Database, plans: Mapping[str, Plan], secrets: SecretWatch | None = None
    ) -> None:
        self._past = past
        self._database = database
        self._plans = plans
        self._secrets = secrets

    async def __call__(self, call: Call, tool: Tool, facts: Facts) -> Facts:
        """Return the facts with links, plan, taints and what would leave; a step of the plan is used up by it."""
        known = await self._past.of(call.who)
        plan = known.plan or self._plans.get(call.who.agent)
        at = Standing(known, plan, self._leaving(call, tool))
        if plan is None or not concerns(tool):
            return self._told(call, tool, facts, at, {}).facts
        return await self._database.transact(lambda tx: self._using(tx, call, tool, facts, at))

    async def _using(self, tx: Transaction, call: Call, tool: Tool, facts: Facts, at: Standing) -> Facts:
        """Count what was used of the plan, and use one more, in one transaction: others may be at it as well."""
        who = call.who
        named = {"tenant_id": who.tenant_id, "run_id": who.run_id}
        await tx.one(_SQL["lock_run"], **named)
        rows = await tx.fetch(_SQL["uses"], **named, call_id=call.call_id, attempt=who.attempt)
        said = self._told(call, tool, facts, at, {row["step"]: row["n"] for row in rows})
        if said.step >= 0:
            await tx.execute(_SQL["use"], **named, call_id=call.call_id, step=said.step, attempt=who.attempt)
        return said.facts

    def _told(self, call: Call, tool: Tool, facts: Facts, at: Standing, uses: Mapping[int, int]) -> Told:
        return told(facts, at.known.ledger, tool, call.arguments or {}, plan=at.plan, uses=uses, also_leaves=at.secrets)

    def _leaving(self, call: Call, tool: Tool) -> tuple[str, ...]:
        """Return the secrets of the house that would leave with a call's arguments."""
        if self._secrets is None or not sends(tool):
            return ()
        found: dict[str, None] = {}
        for leaf in leaves(call.arguments or {}, keys=True):
            if isinstance(leaf.value, str):
                for handle in self._secrets.found_in(call.who.tenant_id, leaf.value[:WATCHED_CHARS_MAX]):
                    found[f"{leaf.name}: secret {handle}"] = None
        return tuple(found)
