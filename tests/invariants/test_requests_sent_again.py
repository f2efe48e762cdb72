"""Invariants 3 and 12 under a gateway that dies: a request that is sent again is never a second effect.

A gateway that was killed tells nobody that its client got no answer. Its attempt lives on in another process and sends
the request again, to the gateway's successor or to a neighbour.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy import parse
from airside.testing import InMemoryPlane, echo, tool_call
from tests.pipeline.conftest import LOCAL, SAFE, WRITE
from tests.pipeline.test_record import through

KINDS = pytest.mark.parametrize("tool", [WRITE, SAFE], ids=["write", "safe"])


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    policy = parse("rules: [{name: all, then: allow}]")
    async with InMemoryPlane(policy=policy, tools=[WRITE, SAFE, LOCAL], database_url=url) as opened:
        yield opened


class World:
    """A terminal that honours idempotency keys as its tool does. The calls of a dead gateway come back when told to."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.answers = True
        self.done, self.back = asyncio.Event(), asyncio.Event()

    async def __call__(self, call: Call) -> Outcome:
        if not (call.idempotent and call.call_id in self.effects):
            self.effects.append(call.call_id)
        self.done.set()
        if not self.answers:
            await self.back.wait()
        return echo(call)


def asked(run: Identity, tool: Tool, key: str = "k1") -> Call:
    return tool_call(run, tool, {"amount": 1}, wishes={"idempotency-key": key} if key else {})


async def gateway_dies_in(plane: InMemoryPlane, call: Call, world: World) -> "asyncio.Task[Outcome]":
    """Let a gateway make the effect and die before it has written the outcome."""
    world.answers = False
    task = asyncio.create_task(through(plane.pipeline(world), call))
    await world.done.wait()
    await plane.executor("testing", alive=False)
    world.answers = True
    return task


async def wakes(world: World, *dead: "asyncio.Task[Outcome]") -> None:
    """Let the gateway have been frozen, not dead: what it had under way comes to its end."""
    effects = list(world.effects)
    world.back.set()
    for task in dead:
        task.cancel()
    await asyncio.gather(*dead, return_exceptions=True)
    assert world.effects == effects


@KINDS
async def test_an_effect_whose_answer_was_lost_is_answered_from_the_journal(plane: InMemoryPlane, tool: Tool) -> None:
    run, world = await plane.start_run(), World()
    await plane.pipeline(world)(asked(run, tool))
    again = await plane.pipeline(world)(asked(run, tool))
    assert again.replayed
    assert len(world.effects) == 1


@KINDS
async def test_another_request_for_the_same_is_another_effect(plane: InMemoryPlane, tool: Tool) -> None:
    run, world = await plane.start_run(), World()
    for key in ("k1", "k2", "", ""):
        await plane.pipeline(world)(asked(run, tool, key))
    assert len(world.effects) == 4


async def test_an_idempotent_effect_in_doubt_is_sent_under_the_same_key(plane: InMemoryPlane) -> None:
    run, world = await plane.start_run(), World()
    dead = await gateway_dies_in(plane, asked(run, SAFE), world)
    outcome = await plane.pipeline(world)(asked(run, SAFE))
    assert world.effects == [outcome.call_id]
    await wakes(world, dead)


async def test_any_other_effect_in_doubt_is_held(plane: InMemoryPlane) -> None:
    run, world = await plane.start_run(), World()
    dead = await gateway_dies_in(plane, asked(run, WRITE), world)
    again = asyncio.create_task(through(plane.pipeline(world), asked(run, WRITE)))
    await plane.suspensions.happened.wait()
    assert plane.suspensions.asked[0][1] == "held"
    assert len(world.effects) == 1
    await wakes(world, dead, again)


async def test_concurrent_requests_for_the_same_each_find_their_own(plane: InMemoryPlane) -> None:
    run, world = await plane.start_run(), World()
    keys = [f"k{number}" for number in range(5)]
    first = [await plane.pipeline(world)(asked(run, WRITE, key)) for key in keys]
    again = await asyncio.gather(*[plane.pipeline(world)(asked(run, WRITE, key)) for key in reversed(keys)])
    assert [outcome.call_id for outcome in reversed(again)] == [outcome.call_id for outcome in first]
    assert len(world.effects) == 5


@KINDS
async def test_a_replayed_answer_that_was_lost_is_given_again(plane: InMemoryPlane, tool: Tool) -> None:
    run, world = await plane.start_run(), World()
    for _ in range(2):
        await plane.pipeline(world)(asked(run, tool, ""))
    second = await plane.next_attempt(run)
    given = [(await plane.pipeline(world)(asked(second, tool, key))).call_id for key in ("a", "a", "b", "b", "a")]
    assert given == [given[0], given[0], given[2], given[2], given[0]]
    assert given[0] != given[2]
    assert len(world.effects) == 2


@KINDS
async def test_the_same_key_in_another_attempt_is_no_request_sent_again(plane: InMemoryPlane, tool: Tool) -> None:
    """A key names a request within its attempt: seeded agents make the same ones each time, for other calls too."""
    run, world = await plane.start_run(), World()
    first = [(await plane.pipeline(world)(asked(run, tool, key))).call_id for key in ("a", "b")]
    second = await plane.next_attempt(run)
    given = [(await plane.pipeline(world)(asked(second, tool, key))).call_id for key in ("b", "a")]
    assert given == first  # the lowest occurrence first, whatever it was called


async def test_a_request_that_arrives_twice_at_once_is_one_effect(plane: InMemoryPlane) -> None:
    """Neither has an intent yet when the other looks: the database lets only one be written."""
    run, world = await plane.start_run(), World()
    pipelines = [plane.pipeline(world) for _ in range(4)]
    results = await asyncio.gather(*[pipeline(asked(run, WRITE)) for pipeline in pipelines], return_exceptions=True)
    assert len(world.effects) == 1
    assert any(isinstance(result, Outcome) for result in results)
    refused = [result for result in results if not isinstance(result, Outcome)]
    assert all(isinstance(error, AirsideError) and error.code is Code.CONFLICT for error in refused), refused


async def test_a_local_tool_authorized_by_a_gateway_that_died_is_authorized_once(plane: InMemoryPlane) -> None:
    run, world = await plane.start_run(), World()

    async def allow(call: Call) -> Outcome:
        return replace(await world(call), pending=True)

    first = await plane.pipeline(allow)(asked(run, LOCAL))
    again = await plane.pipeline(allow)(asked(run, LOCAL))
    assert again.pending
    assert again.call_id == first.call_id


async def test_a_second_try_that_vanishes_leaves_the_first_in_doubt(
    plane: InMemoryPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try may have had its effect: that the second never left does not undo it."""
    run = await plane.start_run()
    tries, opening = 0, asyncio.Event()
    opened = plane.journal.open

    async def lost(call: Call) -> Outcome:
        nonlocal tries
        tries += 1
        raise TransientError(Code.UPSTREAM_FAILED, "the tool host died")

    async def slow(what):  # type: ignore[no-untyped-def]
        admission = await opened(what)
        if what.call.try_number > 1:
            opening.set()
            await asyncio.Event().wait()
        return admission

    monkeypatch.setattr(plane.journal, "open", slow)
    task = asyncio.create_task(through(plane.pipeline(lost), asked(run, SAFE)))
    await opening.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await plane.afterwork.drain(10.0)
    assert tries == 1
    assert [call["state"] for call in await plane.calls(run)] == ["held"]
    assert (await plane.balance(run))["reserved_calls"] == 0
    second = await plane.next_attempt(run)
    assert await plane.journal.unconsumed_effects(second) == 1


async def test_a_record_that_could_not_be_acted_on_is_found_again(
    plane: InMemoryPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal fails between the claim and the re-send; the client's next request must not begin a new call."""
    run, world = await plane.start_run(), World()
    dead = await gateway_dies_in(plane, asked(run, SAFE, ""), world)
    second = await plane.next_attempt(run)

    async def broken(_: object) -> None:
        raise AirsideError(Code.JOURNAL_UNAVAILABLE, "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(plane.journal, "open", broken)
        with pytest.raises(AirsideError) as caught:
            await plane.pipeline(world)(asked(second, SAFE, ""))
    assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    for _ in range(1_000_000):
        if plane.afterwork.pending == 1:  # the dead gateway's call
            break
        await asyncio.sleep(0)
    outcome = await plane.pipeline(world)(asked(second, SAFE, ""))
    assert world.effects == [outcome.call_id]
    await wakes(world, dead)
