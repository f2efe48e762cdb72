"""Levels of budgets are told once, by whoever sees them first, and slow calls down near the limit only."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.config.budgets import LevelSettings, NodeLevels
from airside.config.settings import DatabaseSettings
from airside.core.budget import Fill
from airside.core.ports import Admitted, Query
from airside.core.run import Identity
from airside.journal.backend import Backend, connect
from airside.journal.observed import ObservedJournal
from airside.runs.levels import STOP, THROTTLE, WARN, Levels, delay_s, levels_of
from tests.journal import world


class Heard:
    """Notices that are kept."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((tenant_id, kind, body))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/airside.db"
    return str(request.getfixturevalue("postgres_url"))


class Process:
    """A gateway process with its own watch."""

    def __init__(self, backend: Backend, **kinds: NodeLevels) -> None:
        self.backend = backend
        self.heard = Heard()
        self.levels = Levels(backend.database, LevelSettings(**kinds), self.heard)
        self.journal = ObservedJournal(backend.journal, self.levels)

    async def spend(self, who: Identity, nanousd: int, n: int) -> bool:
        need = world.Need(fixed_nanousd=world.NanoUsd(nanousd))
        call = world.call(f"{self.backend.journal.executor_id} {n}", identity=who, parts=(), need=need)
        if not isinstance(await self.journal.open(world.opening(call)), Admitted):
            return False
        await self.journal.close(world.closing(call, cost=nanousd, tokens=0))
        return True


async def told(backend: Backend) -> list[tuple[str, str, str]]:
    rows = await backend.database.read(
        lambda tx: tx.fetch(Query("told", "SELECT body FROM entries WHERE type = 'budget.level' ORDER BY entry_id"))
    )
    bodies = [json.loads(row["body"]) for row in rows]
    return [(body["node"], body["dimension"], body["level"]) for body in bodies]


async def two(url: str) -> list[Process]:
    backends = [await connect(url, settings=DatabaseSettings(), executor_id=f"gw-{n}") for n in range(2)]
    return [Process(backend) for backend in backends]


async def test_of_two_processes_that_cross_levels_together_one_tells_each(url: str) -> None:
    processes = await two(url)
    await world.start_run(processes[0].backend.database, tenant_nanousd=1_000, nanousd=None, turn_tool_calls=None)
    who = world.who()
    made = await asyncio.gather(*[processes[n % 2].spend(who, 10, n) for n in range(120)])
    for process in processes:
        await process.levels.settled()
    assert sum(made) == 100
    tenant = [
        (dimension, level) for node, dimension, level in await told(processes[0].backend) if node == "tenant:default"
    ]
    assert len(tenant) == len(set(tenant)), "each level once"
    assert ("usd", STOP) in tenant
    heard = [
        body["level"] for process in processes for _, _, body in process.heard.told if body["node"] == "tenant:default"
    ]
    assert sorted(heard) == sorted(level for _, level in tenant)
    for process in processes:
        await process.backend.close()


async def test_levels_are_told_as_they_are_reached_and_anew_for_another_limit(url: str) -> None:
    (process, other) = await two(url)
    await world.start_run(process.backend.database, tenant_nanousd=100, nanousd=None, turn_tool_calls=None)
    who = world.who()
    for n in range(79):
        assert await process.spend(who, 1, n)
    await process.levels.settled()
    assert await told(process.backend) == []
    for n in range(79, 100):
        assert await process.spend(who, 1, n)
        await process.levels.settled()
    assert not await other.spend(who, 1, 0)
    await other.levels.settled()
    levels = [("tenant:default", "usd", level) for level in (WARN, THROTTLE, STOP)]
    assert await told(process.backend) == levels
    assert other.heard.told == []
    raised = Query("raise", "UPDATE budgets SET limit_nanousd = 120 WHERE node = 'tenant:default'")
    await process.backend.database.transact(lambda tx: tx.execute(raised))
    assert await other.spend(who, 1, 1)
    await other.levels.settled()
    assert await told(process.backend) == [*levels, ("tenant:default", "usd", WARN)]
    for each in (process, other):
        await each.backend.close()


async def test_a_raised_limit_ends_the_slowness() -> None:
    backend = await connect("memory:", settings=DatabaseSettings(), executor_id="gw-1")
    process = Process(backend)
    await world.start_run(backend.database, tenant_nanousd=100, nanousd=None, turn_tool_calls=None)
    who = world.who()
    assert await process.spend(who, 98, 0)
    assert 0 < process.levels.pace(who) <= 2
    raised = Query("raise", "UPDATE budgets SET limit_nanousd = 1000 WHERE node = 'tenant:default'")
    await backend.database.transact(lambda tx: tx.execute(raised))
    assert await process.spend(who, 1, 1)
    assert process.levels.pace(who) == 0
    await process.levels.settled()
    await backend.close()


async def test_runs_are_journaled_and_operators_not_told() -> None:
    backend = await connect("memory:", settings=DatabaseSettings(), executor_id="gw-1")
    process = Process(backend)
    await world.start_run(backend.database, nanousd=100, turn_tool_calls=None)
    assert await process.spend(world.who(), 97, 0)
    await process.levels.settled()
    assert [level for node, _, level in await told(backend) if node.startswith("run:")] == [WARN]
    assert process.heard.told == []
    assert process.levels.pace(world.who()) == 0
    await backend.close()


PARTS = st.none() | st.floats(0.5, 1)


@given(st.integers(0, 2**62), st.integers(0, 2**62), PARTS, PARTS)
def test_levels_follow_from_the_numbers(spent: int, limit: int, warn: float | None, throttle: float | None) -> None:
    at = NodeLevels(warn=warn, throttle=throttle)
    fill = Fill("tenant:default", "usd", limit, spent)
    levels = levels_of(fill, at)
    assert (STOP in levels) == (spent >= limit)
    assert (WARN not in levels) or warn is not None
    assert 0 <= delay_s(fill, at, 2.0) <= 2.0
    assert not delay_s(fill, at, 2.0) or THROTTLE in levels or spent >= limit
