"""Bulkheads: bounded, fair, and no place is ever lost."""

import asyncio
import random

import pytest

from airside.config.resilience import BulkheadSettings
from airside.core.errors import AirsideError, Code
from airside.resilience.bulkheads import LocalBulkheads


def bulkheads(**changes: object) -> LocalBulkheads:
    known = {"agent_calls_max": 2, "tenant_calls_max": 4, "provider_calls_max": 3, "waiting_max": 100, "wait_s": 5}
    return LocalBulkheads(BulkheadSettings(**(known | changes)))


def is_empty(rooms: LocalBulkheads) -> bool:
    """Whether nobody holds a place, waits for one, or has left a trace."""
    rooms._forget_idle()
    return not any((rooms._bounds, rooms._lines, rooms._round, rooms._waiting))


async def test_a_hanging_agent_leaves_room_for_another() -> None:
    rooms = bulkheads()
    hanging = [await rooms.enter("t", "hangs", "", 9) for _ in range(2)]
    waiting = asyncio.create_task(rooms.enter("t", "hangs", "", 9))
    await asyncio.sleep(0)
    (await rooms.enter("t", "works", "", 9))()
    assert not waiting.done()
    hanging[0]()
    (await waiting)()
    hanging[1]()
    assert is_empty(rooms)


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ({"agent_calls_max": 1}, "agent a has 1 calls under way"),
        ({"tenant_calls_max": 1}, "the tenant has 1 calls under way"),
        ({"provider_calls_max": 1}, "provider:x has 1 calls under way"),
    ],
)
async def test_a_refusal_names_the_limit(limit: dict[str, int], named: str) -> None:
    rooms = bulkheads(**limit)
    await rooms.enter("t", "a", "provider:x", 9)
    with pytest.raises(AirsideError, match=named) as caught:
        await rooms.enter("t", "a", "provider:x", 0.01)
    assert caught.value.code is Code.RATE_LIMITED
    assert caught.value.retry_after_s
    assert not rooms._waiting


async def test_the_line_is_bounded() -> None:
    rooms = bulkheads(waiting_max=2, agent_calls_max=1)
    leave = await rooms.enter("t", "a", "", 9)
    waiting = [asyncio.create_task(rooms.enter("t", "a", "", 9)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(AirsideError, match="2 more wait"):
        await rooms.enter("t", "a", "", 9)
    leave()
    for task in waiting:
        (await task)()


async def test_a_backlog_of_one_tenant_does_not_hold_up_another() -> None:
    rooms = bulkheads(provider_calls_max=1, agent_calls_max=100, tenant_calls_max=100)
    served: list[str] = []

    async def call(tenant: str) -> None:
        leave = await rooms.enter(tenant, "a", "provider:x", 9)
        served.append(tenant)
        await asyncio.sleep(0)
        leave()

    tasks = [asyncio.create_task(call("big")) for _ in range(50)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(call("small")))
    await asyncio.gather(*tasks)
    assert served.index("small") <= 3


async def test_first_come_first_served_within_a_line() -> None:
    rooms = bulkheads(agent_calls_max=1)
    order: list[int] = []

    async def call(number: int) -> None:
        leave = await rooms.enter("t", "a", "", 9)
        order.append(number)
        leave()

    first = await rooms.enter("t", "a", "", 9)
    tasks = [asyncio.create_task(call(number)) for number in range(10)]
    await asyncio.sleep(0)
    first()
    await asyncio.gather(*tasks)
    assert order == list(range(10))


async def test_whoever_leaves_the_line_when_their_turn_comes_gives_the_place_on() -> None:
    rooms = bulkheads(agent_calls_max=1)
    leave = await rooms.enter("t", "a", "", 9)
    gone, next_ = (asyncio.create_task(rooms.enter("t", "a", "", 9)) for _ in range(2))
    await asyncio.sleep(0)
    leave()  # the turn of `gone` has come
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    (await next_)()
    assert is_empty(rooms)


async def test_whoever_leaves_just_before_their_turn_is_passed_over() -> None:
    rooms = bulkheads(agent_calls_max=1)
    leave = await rooms.enter("t", "a", "", 9)
    gone, next_ = (asyncio.create_task(rooms.enter("t", "a", "", 9)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    leave()  # `gone` has not yet noticed
    with pytest.raises(asyncio.CancelledError):
        await gone
    (await next_)()
    assert is_empty(rooms)


async def test_a_thousand_callers_who_come_leave_and_give_up_lose_no_place() -> None:
    rooms = bulkheads(waiting_max=2_000)
    chance = random.Random(7)
    most: dict[str, int] = {}
    now: dict[str, int] = {}

    async def call(tenant: str, agent: str, upstream: str) -> None:
        leave = await rooms.enter(tenant, agent, upstream, chance.choice([0.005, 0.05, 5]))
        for name in (f"agent {tenant}/{agent}", f"tenant {tenant}", upstream):
            now[name] = now.get(name, 0) + 1
            most[name] = max(most.get(name, 0), now[name])
        try:
            await asyncio.sleep(chance.random() / 1_000)
        finally:
            for name in (f"agent {tenant}/{agent}", f"tenant {tenant}", upstream):
                now[name] -= 1
            leave()

    tasks = [
        asyncio.create_task(call(chance.choice("xyz"), chance.choice("abc"), chance.choice(["", "p", "q"])))
        for _ in range(1_000)
    ]
    for task in tasks:
        if chance.random() < 0.2:
            asyncio.get_running_loop().call_later(chance.random() / 10, task.cancel)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(end is None or isinstance(end, AirsideError | asyncio.CancelledError) for end in ends)
    assert is_empty(rooms)
    assert max(count for name, count in most.items() if name.startswith("agent")) <= 2
    assert max(count for name, count in most.items() if name.startswith("tenant")) <= 4
    assert max(most["p"], most["q"]) <= 3
