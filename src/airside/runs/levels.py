"""Levels of budgets: warn, throttle, stop. Each is told once for a node and its limit, whichever process sees it first.

What is told comes from the balances that admission and settlement have under lock anyway. A row per level makes sure
that of many processes one tells; what was told or is being told is remembered, so that mostly nothing is asked.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from msgspec import Struct

from airside.config.budgets import LevelSettings, NodeLevels
from airside.core.budget import Exhausted, Fill
from airside.core.errors import AirsideError
from airside.core.ports import Database, Notices, Transaction
from airside.core.run import Identity
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.runs", "allowances.sql")
_log = structlog.get_logger(__name__)

WARN: Final = "warn"
THROTTLE: Final = "throttle"
STOP: Final = "stop"
NODES_MAX = 50_000
_RECOVERABLE = frozenset({"turn_tool_calls"})
"""Limits that the run's next model answer lifts: reaching them is no news."""

Key = tuple[str, str, str, int]


class Reached(Struct, frozen=True):
    """A node's limit and the levels of it that are reached, the highest last."""

    fill: Fill
    levels: tuple[str, ...]


def levels_of(fill: Fill, at: NodeLevels) -> tuple[str, ...]:
    """Return the levels that a limit has reached, the lowest first. Pure."""
    found = []
    for level, part in ((WARN, at.warn), (THROTTLE, at.throttle), (STOP, 1.0)):
        if part is not None and fill.spent * 1_000_000 >= round(part * 1_000_000) * fill.limit:
            found.append(level)
    return tuple(found)


def delay_s(fill: Fill, at: NodeLevels, delay_s_max: float) -> float:
    """Return how long a call should wait: nothing below `throttle`, growing to `delay_s_max` at the limit. Pure."""
    if at.throttle is None or fill.limit <= 0 or at.throttle >= 1:
        return 0.0
    part = min(1.0, fill.spent / fill.limit)
    return max(0.0, delay_s_max * (part - at.throttle) / (1 - at.throttle))


class Levels:
    """Watches budgets, tells operators of levels, and says how much calls should be slowed down."""

    def __init__(self, database: Database, settings: LevelSettings, notices: Notices) -> None:
        self._database = database
        self._settings = settings
        self._notices = notices
        self._told: set[tuple[str, Key]] = set()
        self._slow: dict[tuple[str, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def seen(self, who: Identity, fills: Sequence[Fill]) -> None:
        """Take note of how full the limits on a call's path are; see journal.observed.Watch."""
        if self._slow:
            for node in who.budget_path:
                self._slow.pop((who.tenant_id, node), None)
        for fill in fills:
            at = self._of(fill.node)
            levels = levels_of(fill, at)
            if not levels:
                continue
            key = (who.tenant_id, fill.node)
            self._slow[key] = max(self._slow.get(key, 0.0), delay_s(fill, at, self._settings.delay_s_max))
            self._reached(who.tenant_id, Reached(fill, levels))
        if len(self._slow) > NODES_MAX:
            self._slow.clear()

    def stopped(self, who: Identity, exhausted: Exhausted) -> None:
        """Take note of a budget that let a call not pass, although perhaps a little of it is left."""
        if exhausted.dimension not in _RECOVERABLE:
            fill = Fill(exhausted.node, exhausted.dimension, exhausted.limit, exhausted.spent)
            self._reached(who.tenant_id, Reached(fill, (STOP,)))

    def pace(self, who: Identity) -> float:
        """Return how many seconds a call should wait for the budgets that it is charged to."""
        if not self._slow:
            return 0.0
        return max([self._slow.get((who.tenant_id, node), 0.0) for node in who.budget_path], default=0.0)

    async def settled(self) -> None:
        """Return once everything that was seen is written, or could not be."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _of(self, node: str) -> NodeLevels:
        settings = self._settings
        match node.partition(":")[0]:
            case "tenant":
                return settings.tenant
            case "unit":
                return settings.business_unit
            case "workflow":
                return settings.workflow
            case "customer":
                return settings.customer
            case _:
                return settings.run

    def _reached(self, tenant_id: str, reached: Reached) -> None:
        fill = reached.fill
        key = (tenant_id, (fill.node, fill.dimension, reached.levels[-1], fill.limit))
        if key in self._told:
            return
        if len(self._told) > NODES_MAX:
            self._told.clear()
        self._told.add(key)
        task = asyncio.get_running_loop().create_task(self._tell(tenant_id, reached))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, tenant_id: str, reached: Reached) -> None:
        fill = reached.fill

        async def body(tx: Transaction) -> dict[str, Any] | None:
            news = ""
            for level in reached.levels:
                row = {"node": fill.node, "dimension": fill.dimension, "level": level, "limit_amount": fill.limit}
                if await tx.execute(_SQL["reached"], tenant_id=tenant_id, **row, spent=fill.spent, at_us=tx.now_us):
                    news = level
            if not news:
                return None
            told = {"node": fill.node, "dimension": fill.dimension, "level": news}
            told_all: dict[str, Any] = {**told, "limit": fill.limit, "spent": fill.spent}
            await tx.append(events.entry(events.BUDGET_LEVEL, told_all, tenant_id=tenant_id))
            return told_all

        try:
            told = await self._database.transact(body)
        except AirsideError as error:
            _log.warning("a level of a budget could not be written", node=fill.node, code=error.code.value)
            self._told.discard((tenant_id, (fill.node, fill.dimension, reached.levels[-1], fill.limit)))
            return
        if told and self._of(fill.node).notify:
            key = f"{fill.node} {fill.dimension} {told['level']} {fill.limit}"
            self._notices.tell(tenant_id, events.BUDGET_LEVEL, {"key": key, **told})
