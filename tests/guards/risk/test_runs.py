"""The risk of runs: what rises is known at once, written soon, and goes with tasks that are handed on."""

import asyncio
from typing import Any

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.ports import Query
from airside.guards.finding import Finding, Guard, Place
from airside.guards.risk.runs import RunRisks
from airside.journal.backend import Backend
from tests.journal.world import who


def finding(score: float, guard: Guard = Guard.INJECTION, rule: str = "r") -> Finding:
    return Finding(guard=guard, rule=rule, kind=rule, start=0, end=1, score=score)


async def test_what_rises_is_known_here_at_once_and_elsewhere_once_written(backend: Backend) -> None:
    here, there = RunRisks(backend.database), RunRisks(backend.database)
    here.rose(who(), Place.RESULT, finding(0.8))
    here.rose(who(), Place.RESULT, finding(0.6, rule="other"))
    assert await here.of(who()) == 0.8
    assert await there.of(who()) == 0.0
    await here.flush()
    there.rose(who(), Place.USER, finding(0.7))
    assert await there.of(who()) == 0.8
    await there.flush()
    found = await here.by_guard("default", "run_1")
    assert (found[Guard.INJECTION].findings, found[Guard.INJECTION].score) == (3, 0.8)


async def test_only_what_hints_at_an_attack_makes_a_run_risky(backend: Backend) -> None:
    risks = RunRisks(backend.database)
    risks.rose(who(), Place.USER, finding(1.0, Guard.PERSONAL))
    risks.rose(who(), Place.USER, finding(1.0, Guard.SECRETS))
    assert await risks.of(who()) == 0.0
    risks.rose(who(), Place.ANSWER, finding(0.4, Guard.LEAKAGE))
    assert await risks.of(who()) == 0.4
    assert await risks.of(who("run_2")) == 0.0
    assert await risks.of(who(tenant_id="other")) == 0.0


async def test_a_finding_that_is_met_again_each_turn_counts_once(backend: Backend) -> None:
    risks = RunRisks(backend.database)
    for _ in range(5):
        risks.rose(who(), Place.RESULT, finding(0.8))
    await risks.flush()
    risks.rose(who(), Place.RESULT, finding(0.8))
    await risks.flush()
    assert (await risks.by_guard("default", "run_1"))[Guard.INJECTION].findings == 1


async def _tick() -> None:
    await asyncio.sleep(0.01)


async def test_it_is_written_by_itself_and_at_the_end(backend: Backend) -> None:
    risks, reader = RunRisks(backend.database), RunRisks(backend.database)
    risks.start()
    risks.rose(who(), Place.RESULT, finding(0.8))
    async with asyncio.timeout(10):
        while await reader.of(who()) != 0.8:
            await _tick()
    risks.rose(who("run_2"), Place.RESULT, finding(0.5))
    await risks.close()
    assert await reader.of(who("run_2")) == 0.5


async def test_what_could_not_be_written_is_written_later(backend: Backend) -> None:
    class Away:
        async def transact(self, _: Any) -> Any:
            raise AirsideError(Code.JOURNAL_UNAVAILABLE, "away")

    risks = RunRisks(backend.database)
    risks.rose(who(), Place.RESULT, finding(0.8))
    risks._database = Away()  # type: ignore[assignment]  # the database goes away meanwhile
    with pytest.raises(AirsideError):
        await risks.flush()
    risks._database = backend.database
    assert await risks.of(who()) == 0.8
    await risks.flush()
    assert await RunRisks(backend.database).of(who()) == 0.8


async def test_a_task_is_as_risky_as_who_handed_it_on_and_the_other_way(backend: Backend) -> None:
    risks = RunRisks(backend.database)
    add = Query(
        "test",
        "INSERT INTO handoffs (tenant_id, call_id, parent_run_id, run_id, tools, rules, depth, made_us)"
        " VALUES ('default', :call, :parent, :run, '', '', 1, 0)",
    )
    for parent, run in (("run_1", "run_2"), ("run_2", "run_3"), ("run_8", "run_9")):
        await backend.database.transact(
            lambda tx, parent=parent, run=run: tx.execute(add, call=f"call {run}", parent=parent, run=run)
        )
    risks.rose(who("run_2"), Place.RESULT, finding(0.8))
    await risks.flush()
    assert [await risks.of(who(f"run_{number}")) for number in (1, 2, 3, 8, 9)] == [0.8, 0.8, 0.8, 0.0, 0.0]
