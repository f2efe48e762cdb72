"""What each budget allows now: settings, what people have set beside them, periods that begin, and credits.

A call is charged to the period in which it is made, however long ago its run began: `current` moves a run's path on
when a period is over, and what was reserved in the old one is settled there. Each node is made once, with the first
call of its period; dollars that are carried over move from the old node to the new one in that very transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from airside.config.settings import Settings
from airside.core.budget import TOTAL_MAX, Limits
from airside.core.clock import Clock
from airside.core.money import NanoUsd
from airside.core.ports import Database, Row, Transaction
from airside.core.run import Identity
from airside.journal.queries import load
from airside.runs import budgets
from airside.runs.budgets import Node, Plan

_SQL = load("airside.runs", "allowances.sql")
_RUNS = load("airside.runs", "runs.sql")

SNAPSHOT_AGE_S_MAX = 0.25
MADE_MAX = 100_000


class Allowances:
    """Knows the nodes that runs are charged to, and makes them."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._plans: dict[str, dict[str, Plan]] = {}
        self._read_s = float("-inf")
        self._made: set[tuple[str, str]] = set()

    async def refresh(self) -> None:
        """Make sure that what people have set is known as it was at most 250 ms ago."""
        asked_s = self._clock.monotonic_s()
        if asked_s - self._read_s <= SNAPSHOT_AGE_S_MAX:
            return
        rows = await self._database.look_up(_all_plans)
        plans: dict[str, dict[str, Plan]] = {}
        for row in rows:
            plans.setdefault(row["tenant_id"], {})[row["scope"]] = plan_of_row(row)
        self._plans, self._read_s = plans, asked_s

    def forget(self) -> None:
        """Read what people have set again before the next use; called when this process has changed it."""
        self._read_s = float("-inf")

    def nodes(self, tenant_id: str, labels: Mapping[str, str], run_id: str, agent: str, now_us: int) -> list[Node]:
        """Return the nodes of a new run from the tenant down to the run. `refresh` comes before."""
        scopes = budgets.scopes_of(tenant_id, labels)
        above = budgets.path(self._settings, self._plans.get(tenant_id, {}), scopes, now_us)
        return [*above, budgets.run_node(self._settings, run_id, agent)]

    async def make(self, tx: Transaction, tenant_id: str, nodes: Sequence[Node]) -> None:
        """Write the nodes that are not there yet. Call `made` once the transaction is committed."""
        for node in nodes:
            if (tenant_id, node.name) not in self._made:
                await make_node(tx, tenant_id, node)

    def made(self, tenant_id: str, nodes: Sequence[Node]) -> None:
        """Remember that nodes above runs are there."""
        if len(self._made) > MADE_MAX:
            self._made.clear()
        self._made.update([(tenant_id, node.name) for node in nodes if node.scope])

    async def current(self, identity: Identity) -> Identity:
        """Return who calls with the path for the periods of now; nodes of periods that have just begun are made."""
        path = identity.budget_path
        scopes = [budgets.scope_of(node) for node in path if not node.startswith("run:")]
        await self.refresh()
        plans = self._plans.get(identity.tenant_id, {})
        nodes = budgets.path(self._settings, plans, scopes, self._clock.now_us())
        names = tuple([node.name for node in nodes])
        if names == path[: len(names)]:
            return identity
        if any((identity.tenant_id, name) not in self._made for name in names):
            await self._database.transact(lambda tx: self.make(tx, identity.tenant_id, nodes))
            self.made(identity.tenant_id, nodes)
        return structs.replace(identity, budget_path=(*names, *path[len(names) :]))

    async def path_now(self, tenant_id: str, path: Sequence[str]) -> list[str]:
        """Return a run's path for the periods of now, without making any node."""
        await self.refresh()
        scopes = [budgets.scope_of(node) for node in path if not node.startswith("run:")]
        above = budgets.path(self._settings, self._plans.get(tenant_id, {}), scopes, self._clock.now_us())
        return [*[node.name for node in above], *path[len(scopes) :]]

    async def reconcile(self, tenant_id: str) -> int:
        """Give the nodes of the present periods the limits that hold now, and return how many were other."""

        async def every(tx: Transaction) -> tuple[Sequence[Row], Mapping[str, Plan]]:
            plans = {row["scope"]: plan_of_row(row) for row in await _all_plans(tx) if row["tenant_id"] == tenant_id}
            return await tx.fetch(_SQL["nodes_above_runs"], tenant_id=tenant_id), plans

        rows, plans = await self._database.read(every)
        other = [node for row in rows if (node := self._changed(plans, row))]
        for node in sorted(other, key=lambda node: node.name):

            async def put(tx: Transaction, node: Node = node) -> None:
                await put_limits(tx, tenant_id, node)

            await self._database.transact(put)
        return len(other)

    def _changed(self, plans: Mapping[str, Plan], row: Row) -> Node | None:
        """Return the node of a row as it should be, or None if it is so or belongs to a period that is over."""
        scope = budgets.scope_of(row["node"])
        plan = budgets.plan_of(self._settings, plans, scope)
        node = budgets.node_of(self._settings, plan, scope, self._clock.now_us())
        found = (row["limit_nanousd"], row["limit_tokens"], row["limit_calls"])
        limits = with_credit(plan.limits, row["credited"])
        same = node.name != row["node"] or found == (limits.nanousd, limits.tokens, limits.calls)
        return None if same else node

    async def node_now(self, tx: Transaction, tenant_id: str, scope: str) -> tuple[Plan, Node]:
        """Return a scope's plan as this transaction sees it, and its node for the period of now."""
        row = await tx.one(_SQL["plan"], tenant_id=tenant_id, scope=scope)
        plan = plan_of_row(row) if row else budgets.configured(self._settings, scope)
        return plan, budgets.node_of(self._settings, plan, scope, tx.now_us)


async def make_node(tx: Transaction, tenant_id: str, node: Node) -> None:
    """Write a node if it is not there, with what its scope has left from the period before, if that is carried over."""
    columns = {f"limit_{name}": value for name, value in structs.asdict(node.limits).items()}
    fresh = await tx.execute(_RUNS["add_budget_node"], tenant_id=tenant_id, node=node.name, **columns)
    if fresh and node.previous and node.limits.nanousd is not None:
        await _carry_over(tx, tenant_id, node, node.limits.nanousd)


async def put_limits(tx: Transaction, tenant_id: str, node: Node) -> None:
    """Give a node the limits of its scope, and what was added to it."""
    await make_node(tx, tenant_id, node)
    await tx.one(_SQL["lock_node"], tenant_id=tenant_id, node=node.name)  # a credit under way is seen, or comes after
    row = await tx.one(_SQL["credited"], tenant_id=tenant_id, node=node.name)
    limits = with_credit(node.limits, row["nanousd"] if row else 0)
    columns = {f"limit_{name}": value for name, value in structs.asdict(limits).items()}
    await tx.execute(_SQL["put_limits"], tenant_id=tenant_id, node=node.name, **columns)


async def _carry_over(tx: Transaction, tenant_id: str, node: Node, limit: int) -> None:
    """Move what the node of the period before has left to the new one: what is moved cannot be spent twice."""
    before = await tx.one(_SQL["lock_node"], tenant_id=tenant_id, node=node.previous)
    if before is None or before["limit_nanousd"] is None:
        return
    left = min(limit, before["limit_nanousd"] - before["spent_nanousd"] - before["reserved_nanousd"])
    if left <= 0:
        return
    for name, other, amount in ((node.previous, node.name, -left), (node.name, node.previous, left)):
        await tx.execute(
            _SQL["add_credit"],
            tenant_id=tenant_id,
            credit_id=f"carried:{node.name}:{'in' if amount > 0 else 'out'}",
            node=name,
            nanousd=amount,
            note=f"carried over {'from' if amount > 0 else 'to'} {other}",
            given_by="",
            given_us=tx.now_us,
        )
        await tx.execute(_SQL["add_dollars"], tenant_id=tenant_id, node=name, nanousd=amount, limit_max=TOTAL_MAX)


def with_credit(limits: Limits, nanousd: int) -> Limits:
    """Return limits with dollars added; a node without a limit of dollars stays without, and none goes below zero."""
    if limits.nanousd is None:
        return limits
    return structs.replace(limits, nanousd=NanoUsd(min(max(0, limits.nanousd + nanousd), TOTAL_MAX)))


def plan_of_row(row: Row) -> Plan:
    """Return the plan of a row of `budget_limits`."""
    limits = Limits(row["limit_nanousd"], row["limit_tokens"], row["limit_calls"])
    return Plan(limits, row["period"], bool(row["carry_over"]))


async def _all_plans(tx: Transaction) -> Sequence[Any]:
    return await tx.fetch(_SQL["plans"])
