"""Breakers as two processes share them."""

import asyncio
import contextlib
import timeit
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from airside.config.resilience import BreakerSettings
from airside.core.clock import SystemClock
from airside.core.dependencies import SHARED, Dependency, Sign
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database
from airside.resilience.breakers import SharedBreakers
from tests.resilience.conftest import Operators, sql
from tests.runs.house import eventually

MODEL = (Dependency(SHARED, "provider:x"), Dependency(SHARED, "model:x/m"))
TOOL = (Dependency("default", "tool:t"),)
QUICK = BreakerSettings(cool_down_s=0.05, cool_down_s_max=0.2, consecutive_failures=3, probe_lease_s=2.0)


@pytest.fixture
async def pair(
    databases: tuple[Database, Database], operators: Operators
) -> AsyncIterator[tuple[SharedBreakers, SharedBreakers]]:
    async with AsyncExitStack() as stack:
        made = [SharedBreakers(database, SystemClock(), QUICK, operators) for database in databases]
        for breakers in made:
            await breakers.start()
            stack.push_async_callback(breakers.close)
        yield made[0], made[1]


def fail(breakers: SharedBreakers, dependencies: Any = MODEL, times: int = 3) -> None:
    for _ in range(times):
        breakers.note(dependencies, Sign.FAILED, 0.0)


async def until(condition: Callable[[], bool], said: str = "never") -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds, lambda: said, 5.0)


async def probe(breakers: SharedBreakers, dependencies: Any = MODEL) -> Any:
    """Claim the next trial, as soon as it is due."""
    found: list[Any] = []

    async def claimed() -> bool:
        with contextlib.suppress(AirsideError):
            found.append(await breakers.probe(dependencies))
        return bool(found)

    await eventually(claimed, lambda: "no probe was to be had", 5.0)
    return found[0]


async def test_a_trip_is_known_at_once_here_and_soon_elsewhere(
    pair: tuple[SharedBreakers, SharedBreakers], operators: Operators
) -> None:
    one, two = pair
    fail(one)
    assert not one.closed(MODEL)
    with pytest.raises(AirsideError) as caught:
        await one.probe(MODEL)
    assert caught.value.code is Code.BREAKER_OPEN
    assert caught.value.retry_after_s
    assert caught.value.details == {"breaker": "provider:x", "shared": True}
    began = asyncio.get_running_loop().time()
    await until(lambda: not two.closed(MODEL))
    assert asyncio.get_running_loop().time() - began < 2.0  # 250 ms on a quiet machine
    await until(lambda: operators.kinds().count("breaker.opened") == 2)


async def test_of_two_processes_racing_for_a_probe_one_gets_it(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, two = pair
    fail(one, TOOL)
    await until(lambda: not two.closed(TOOL))
    await asyncio.sleep(QUICK.cool_down_s)
    claims = await asyncio.gather(*[each.probe(TOOL) for each in (one, two) * 20], return_exceptions=True)
    got = [claim for claim in claims if not isinstance(claim, BaseException)]
    assert len(got) == 1
    assert {error.code for error in claims if isinstance(error, AirsideError)} == {Code.BREAKER_OPEN}


async def test_good_probes_close_it_for_everybody(
    pair: tuple[SharedBreakers, SharedBreakers], operators: Operators, database: Database
) -> None:
    one, two = pair
    fail(one)
    for breakers in (two, one):
        await until(lambda breakers=breakers: not any(breakers.closed((each,)) for each in MODEL))
        (await probe(breakers)).end(Sign.GOOD)
    await until(lambda: one.closed(MODEL) and two.closed(MODEL))
    await until(lambda: operators.kinds().count("breaker.closed") == 2)
    entries = await sql(database, "SELECT type FROM entries WHERE tenant_id = '*' ORDER BY entry_id")
    kinds = [entry["type"] for entry in entries]
    assert kinds.count("breaker.opened") == 2
    assert kinds.count("breaker.probed") == 4
    assert kinds[-1] == "breaker.closed"


async def test_a_failed_probe_opens_it_again_for_longer(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, _ = pair
    fail(one, TOOL)
    (await probe(one, TOOL)).end(Sign.FAILED)

    async def grown() -> bool:
        (row,) = await one.known("default")
        return bool(row["trips"] == 2 and row["state"] == "open")

    await eventually(grown, lambda: "it did not open again", 5.0)


async def test_a_prober_that_dies_loses_its_probe(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, two = pair
    fail(one, TOOL)
    lost = await probe(one, TOOL)
    await until(lambda: not two.closed(TOOL))
    again = await probe(two, TOOL)
    lost.end(Sign.FAILED)
    again.end(Sign.GOOD)

    async def only_the_second_counted() -> bool:
        (row,) = await two.known("default")
        return bool(row["trips"] == 1 and row["state"] == "half_open")

    await eventually(only_the_second_counted, lambda: "the dead prober's word was taken", 5.0)


async def test_a_caller_who_leaves_while_claiming_leaves_no_claim(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, two = pair
    fail(one, TOOL)
    await until(lambda: not two.closed(TOOL))
    await asyncio.sleep(QUICK.cool_down_s * 2)
    claim = asyncio.create_task(one.probe(TOOL))
    await asyncio.sleep(0)
    claim.cancel()
    await asyncio.wait([claim])
    began = asyncio.get_running_loop().time()
    assert await probe(two, TOOL)
    assert asyncio.get_running_loop().time() - began < QUICK.probe_lease_s + 5


async def test_failures_before_a_closing_do_not_trip_it_again(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, two = pair
    fail(two, TOOL, times=2)  # nearly
    fail(one, TOOL)
    await until(lambda: not two.closed(TOOL))
    fail(two, TOOL, times=5)  # calls that were under way: only probes speak now
    for _ in range(QUICK.probes):
        (await probe(one, TOOL)).end(Sign.GOOD)
    await until(lambda: one.closed(TOOL) and two.closed(TOOL))
    fail(two, TOOL, times=2)
    assert two.closed(TOOL)


async def test_busy_answers_switch_off_the_model_and_not_its_provider(
    pair: tuple[SharedBreakers, SharedBreakers],
) -> None:
    one, _ = pair
    for _ in range(QUICK.busy_answers):
        one.note(MODEL, Sign.BUSY, 0.0, 30.0)
    assert one.closed(MODEL[:1])
    assert not one.closed(MODEL[1:])
    with pytest.raises(AirsideError) as caught:
        await one.probe(MODEL)
    assert 25 < (caught.value.retry_after_s or 0) <= 30


async def test_errors_of_a_tool_count_unless_the_settings_say_otherwise(
    database: Database, operators: Operators
) -> None:
    for counts in (True, False):
        settings = BreakerSettings(tool_errors_count=counts, calls_min=5)
        breakers = SharedBreakers(database, SystemClock(), settings, operators)
        for _ in range(5):
            breakers.note(TOOL, Sign.ERROR, 0.0)
        assert breakers.closed(TOOL) is not counts
        await breakers.close()


async def test_an_operator_holds_it_open_and_lets_it_go(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, two = pair
    await one.force("default", "tool:t", off=True, by="key_1")
    await until(lambda: not two.closed(TOOL))
    await asyncio.sleep(0.3)  # longer than any cool-down
    with pytest.raises(AirsideError, match="held open by key_1"):
        await two.probe(TOOL)
    assert one.closed((Dependency("other", "tool:t"),)), "another tenant's tool of the same name"
    await two.force("default", "tool:t", off=False, by="key_1")
    await until(lambda: one.closed(TOOL))
    with pytest.raises(AirsideError) as caught:
        await one.force("default", "everything", off=True, by="key_1")
    assert caught.value.code is Code.INVALID_REQUEST


async def test_tenants_see_their_own_breakers_and_the_shared(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, _ = pair
    for tenant in ("a", "b"):
        await one.force(tenant, "tool:t", off=True, by="k")
    await one.force("a", "provider:x", off=True, by="k")
    assert [row["key"] for row in await one.known("a")] == ["provider:x", "tool:t"]
    assert len(await one.known("c")) == 1


async def test_without_a_database_a_process_goes_on_with_what_it_knows(
    databases: tuple[Database, Database], operators: Operators
) -> None:
    class Away:
        """A database that is away for as long as it is told."""

        def __init__(self) -> None:
            self.away = False

        async def transact(self, body: Any) -> Any:
            return await self._through(databases[0].transact, body)

        async def look_up(self, body: Any) -> Any:
            return await self._through(databases[0].look_up, body)

        async def _through(self, way: Any, body: Any) -> Any:
            if self.away:
                raise AirsideError(Code.JOURNAL_UNAVAILABLE)
            return await way(body)

    away = Away()
    breakers = SharedBreakers(away, SystemClock(), QUICK, operators)  # type: ignore[arg-type]
    await breakers.start()
    try:
        away.away = True
        fail(breakers, TOOL)
        await asyncio.sleep(0.5)  # longer than it takes to poll
        assert not breakers.closed(TOOL)
        away.away = False
        await until(lambda: "breaker.opened" in operators.kinds())
    finally:
        await breakers.close()


async def test_a_thousand_calls_at_a_breaker_that_is_due_make_one_claim(
    pair: tuple[SharedBreakers, SharedBreakers],
) -> None:
    one, _ = pair
    fail(one, TOOL)
    await asyncio.sleep(QUICK.cool_down_s * 3)
    claims = await asyncio.gather(*[one.probe(TOOL) for _ in range(1_000)], return_exceptions=True)
    assert sum(not isinstance(claim, BaseException) for claim in claims) <= 1


async def test_a_closed_breaker_costs_no_query_and_little_time(pair: tuple[SharedBreakers, SharedBreakers]) -> None:
    one, _ = pair

    def call() -> None:
        assert one.closed(MODEL)
        one.note(MODEL, Sign.GOOD, 0.0)

    seconds = min(timeit.repeat(call, number=10_000, repeat=5)) / 10_000
    assert seconds < 20e-6, f"{seconds * 1e6:.1f} us"
