"""Sums of rules hold exactly: however many calls leave at once, from however many journals, a sum is never passed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from airside.config.settings import DatabaseSettings
from airside.core.call import Call, CallState
from airside.core.errors import Code
from airside.core.policy import Counter, Decision, Verdict
from airside.core.ports import Admitted, Query, Refused, Transaction
from airside.journal.backend import Backend, connect
from tests.journal import world

LIMIT = 1_000
PERIOD = 1_700_000_000_000_000
MOVED = Query("moved", "SELECT coalesce(max(moved), 0) AS moved FROM policy_sums WHERE name = :name")
COUNTED = Query("counted", "SELECT count(*) AS n FROM policy_counted")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def backends(url: str) -> AsyncIterator[list[Backend]]:
    """Two journals on one database, as two processes have them, and a run."""
    both = [await connect(url, settings=DatabaseSettings(), executor_id=f"gw-{n}") for n in range(2)]
    await world.start_run(both[0].database, turn_tool_calls=None, calls=None, nanousd=None)
    yield both
    for backend in both:
        await backend.close()


def summed(request: str, amount: int, *, limit: int = LIMIT, name: str = "sum_x", **changes: Any) -> Call:
    counter = Counter(name, changes.pop("start", PERIOD), amount, limit)
    return replace(world.call(request, **changes), decision=Decision(Verdict.ALLOW, (), "pol", counters=(counter,)))


async def moved(backend: Backend, name: str = "sum_x") -> int:
    async def body(tx: Transaction) -> int:
        row = await tx.one(MOVED, name=name)
        return int(row["moved"]) if row else 0

    return await backend.database.read(body)


async def remembered(backend: Backend) -> int:
    async def body(tx: Transaction) -> int:
        row = await tx.one(COUNTED)
        return int(row["n"]) if row else 0

    return await backend.database.read(body)


@pytest.mark.parametrize("seed", range(4))
async def test_concurrent_calls_never_move_more_than_the_limit(backends: list[Backend], seed: int) -> None:
    random = Random(seed)
    kept: list[int] = []
    refusals: list[Refused] = []
    done = asyncio.Event()

    async def auditor() -> None:
        while not done.is_set():
            assert await moved(backends[0]) <= LIMIT
            await asyncio.sleep(0)

    async def client(number: int, random: Random) -> None:
        journal = backends[number % 2].journal
        for turn in range(6):
            amount = random.choice([60, 99, 250, 900])
            call = summed(f"{number} {turn}", amount)
            admission = await journal.open(world.opening(call))
            if isinstance(admission, Refused):
                refusals.append(admission)
                continue
            assert isinstance(admission, Admitted)
            state = random.choice([CallState.OK, CallState.ERROR, CallState.HELD, CallState.TRANSIENT])
            await journal.close(world.closing(call, state))
            if state is not CallState.TRANSIENT:
                kept.append(amount)

    watching = asyncio.create_task(auditor())
    await asyncio.gather(*[client(n, Random(random.random())) for n in range(12)])
    done.set()
    await watching
    assert await moved(backends[1]) == sum(kept) <= LIMIT
    assert refusals
    assert {refused.code for refused in refusals} == {Code.POLICY_DENIED}
    assert "sum_x" in refusals[0].message


async def test_a_call_that_is_sent_again_counts_once(backends: list[Backend]) -> None:
    first = summed("a", 600, idempotent=True)
    await world.opened(backends[0].journal, first)
    await backends[0].journal.close(world.closing(first, CallState.HELD))
    again = replace(first, try_number=2)
    assert isinstance(await backends[1].journal.open(world.opening(again)), Admitted)
    assert await moved(backends[0]) == 600
    await backends[1].journal.close(world.closing(again, CallState.OK))
    assert await moved(backends[0]) == 600
    assert await remembered(backends[0]) == 0


async def test_what_was_given_back_is_checked_anew(backends: list[Backend]) -> None:
    first = summed("a", 600)
    await world.opened(backends[0].journal, first)
    await backends[0].journal.close(world.closing(first, CallState.TRANSIENT))
    assert await moved(backends[0]) == 0
    await world.opened(backends[1].journal, summed("b", 600))
    refused = await backends[0].journal.open(world.opening(replace(first, try_number=2)))
    assert isinstance(refused, Refused)
    assert refused.code is Code.POLICY_DENIED
    assert await moved(backends[0]) == 600


async def test_sums_of_other_names_periods_and_tenants_are_others(backends: list[Backend]) -> None:
    for number, changes in enumerate(({}, {"name": "sum_y"}, {"start": PERIOD + 1})):
        assert isinstance(
            await backends[0].journal.open(world.opening(summed(str(number), LIMIT, **changes))), Admitted
        )
    assert isinstance(await backends[0].journal.open(world.opening(summed("more", 1))), Refused)


async def test_a_refused_sum_reserves_nothing_and_writes_no_intent(backends: list[Backend]) -> None:
    refused = await backends[0].journal.open(world.opening(call := summed("a", LIMIT + 1)))
    assert isinstance(refused, Refused)
    assert await backends[0].journal.look(call.who, call.call_id) is None
    assert await moved(backends[0]) == 0


async def test_a_clock_that_is_ahead_opens_no_fresh_period(backends: list[Backend]) -> None:
    refused = await backends[0].journal.open(world.opening(summed("a", 1, start=world.FAR_US)))
    assert isinstance(refused, Refused)
    assert "clock" in refused.message
