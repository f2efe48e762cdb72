"""Identical calls in flight: one is made and paid, the others are given its answer; none hangs on another's fate."""

import asyncio

import httpx2
import pytest

from airside.core.run import Identity
from tests.fake_providers import Fault, text
from tests.gateways.models.caching.test_exact import rows
from tests.gateways.models.caching.world import HEADER, Caches, caches
from tests.gateways.models.world import until

Asking = asyncio.Task[httpx2.Response]
NO = Fault(status=400, raw=b'{"error": {"message": "no", "code": "nope"}}')


async def led(c: Caches, who: Identity, *, stream: bool = False) -> Asking:
    """Start a call that leads, and wait until the provider was asked."""
    before = c.world.fake.calls
    task = asyncio.create_task(c.ask(who, wish="join", stream=stream))
    await until(lambda: c.world.fake.calls > before)
    return task


async def followed(c: Caches, *everyone: Identity, stream: bool = False) -> list[Asking]:
    """Start calls that join the one under way, and wait until all of them wait."""
    tasks = [asyncio.create_task(c.ask(who, wish="join", stream=stream)) for who in everyone]
    await until(lambda: c.cache.in_flight.waiting == len(everyone))
    return tasks


async def test_identical_calls_of_different_runs_share_one_and_pay_once() -> None:
    async with caches() as c:
        c.world.fake.delay_s = 1.0
        everyone = [await c.who() for _ in range(5)]
        leader = await led(c, everyone[0])
        answered = await asyncio.gather(leader, *await followed(c, *everyone[1:]))
        assert {response.status_code for response in answered} == {200}
        assert [response.headers.get(HEADER, "").split(";")[0] for response in answered] == ["", *["joined"] * 4]
        assert c.world.fake.calls == 1
        paid = [(await c.plane.balance(who))["spent_nanousd"] > 0 for who in everyone]
        assert paid == [True, False, False, False, False]
        assert await rows(c, "SELECT * FROM cache_entries") == []


async def test_calls_of_one_run_and_of_other_subjects_are_not_joined() -> None:
    async with caches() as c:
        c.world.fake.delay_s = 1.0
        ann, bob = await c.who("ann"), await c.who("bob")
        tasks = [await led(c, who) for who in (ann, ann, bob)]
        assert [response.headers.get(HEADER) for response in await asyncio.gather(*tasks)] == [None] * 3


async def test_followers_try_for_themselves_when_the_leader_fails() -> None:
    async with caches() as c:
        c.world.fake.delay_s = 0.5
        c.world.fake.faults.append(NO)
        leader = await led(c, await c.who())
        answered = await asyncio.gather(leader, *await followed(c, await c.who(), await c.who()))
        assert [response.status_code for response in answered] == [400, 200, 200]
        assert c.world.fake.calls == 2  # one of the two that had waited leads, and the other is given its answer


@pytest.mark.parametrize("stream", [False, True])
async def test_a_leader_whose_client_hangs_up_takes_nobody_along(stream: bool) -> None:
    async with caches() as c:
        c.world.fake.reply = lambda body: text("still here")
        c.world.fake.faults.append(Fault(stall=True))
        leader = await led(c, await c.who(), stream=stream)
        (follower,) = await followed(c, await c.who(), stream=stream)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        answered = await follower
        assert answered.status_code == 200
        assert "still" in answered.text
        assert c.world.fake.calls == 2
        assert c.cache.in_flight.waiting == 0
