"""Invariants 1 to 3 under cancellation and a failing journal: at whatever point a client vanishes or a write fails.

Every call is cancelled at each step of its way in turn. Whatever happens, no reservation is left, no effect is done
without an entry, none is done twice by the client's retry, and an intent has exactly one outcome.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from airside.core.call import Call, Outcome
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy import parse
from airside.testing import InMemoryPlane, echo, model_call, tool_call
from tests.pipeline.conftest import READ, SAFE, WRITE
from tests.pipeline.test_record import through

POINTS_MAX = 200


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    policy, tools = parse("rules: [{name: all, then: allow}]"), [READ, WRITE, SAFE]
    async with InMemoryPlane(policy=policy, tools=tools, clock=SystemClock(), database_url=url) as opened:
        yield opened


class World:
    """A terminal whose effects are counted, and which takes a few turns of the loop."""

    def __init__(self) -> None:
        self.effects = 0

    async def __call__(self, call: Call) -> Outcome:
        for _ in range(3):
            await asyncio.sleep(0)
        self.effects += 1
        for _ in range(3):
            await asyncio.sleep(0)
        return echo(call)


def make(kind: str) -> Callable[[Identity], Call]:
    tools: dict[str, Tool] = {"read": READ, "write": WRITE, "safe": SAFE}
    if kind == "model":
        return model_call
    return lambda run: tool_call(run, tools[kind], {"amount": 1})


async def settled(plane: InMemoryPlane, run: Identity) -> None:
    """Check what must hold once everything has come to rest."""
    assert await plane.afterwork.drain(10.0)
    balance = await plane.balance(run)
    assert [balance[f"reserved_{what}"] for what in ("nanousd", "tokens", "calls")] == [0, 0, 0]
    entries = await plane.entries(run)
    intents = sorted(entry["call_id"] for entry in entries if entry["type"] == "call.intent")
    outcomes = sorted(entry["call_id"] for entry in entries if entry["type"] == "call.outcome")
    assert intents == outcomes
    assert "open" not in {call["state"] for call in await plane.calls(run)}


@pytest.mark.parametrize("kind", ["model", "read", "write", "safe"])
async def test_a_client_that_vanishes_at_any_point_leaks_nothing_and_its_retry_doubles_nothing(
    plane: InMemoryPlane, kind: str
) -> None:
    finished = 0
    for point in range(POINTS_MAX):
        turns = point if plane.database_url == "memory:" else point * point // 4
        run, world = await plane.start_run(), World()
        pipeline = plane.pipeline(world)
        task = asyncio.create_task(through(pipeline, make(kind)(run)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, Outcome | asyncio.CancelledError), result
        if not isinstance(result, Outcome):
            assert await plane.afterwork.drain(10.0)
            retried = await through(pipeline, make(kind)(run))
            assert retried.body == echo(make(kind)(run)).body
        if kind in {"write", "safe"}:
            assert world.effects == 1, f"cancelled after {turns} turns"
        await settled(plane, run)
        finished += isinstance(result, Outcome)
        if finished == 3:
            return
    raise AssertionError("the points must cover the whole call")


@pytest.mark.parametrize("kind", ["model", "write"])
async def test_an_outcome_that_cannot_be_recorded_is_insisted_on_and_given_late(
    plane: InMemoryPlane, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, world = await plane.start_run(), World()
    failing = Failing(plane.journal.close, times=3)
    monkeypatch.setattr(plane.journal, "close", failing)
    outcome = await plane.pipeline(world)(make(kind)(run))
    assert outcome.at_us > 0
    assert failing.left == 0
    assert world.effects == 1
    await settled(plane, run)


async def test_no_answer_leaves_without_its_record(plane: InMemoryPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    run, world = await plane.start_run(), World()
    failing = Failing(plane.journal.close, times=1_000_000)
    monkeypatch.setattr(plane.journal, "close", failing)
    monkeypatch.setattr("airside.pipeline.settle.SETTLE_WAIT_S", 0.2)
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(world)(make("write")(run))
    assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    failing.left = 0
    assert await plane.afterwork.drain(10.0)
    outcome = await plane.pipeline(world)(make("write")(run))
    assert outcome.replayed
    assert world.effects == 1
    await settled(plane, run)


@pytest.mark.parametrize("operation", ["claimable", "open", "refuse"])
async def test_a_journal_that_cannot_be_written_lets_nothing_leave(
    plane: InMemoryPlane, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, world = await plane.start_run(), World()
    if operation == "refuse":
        plane.policy = parse("")
    monkeypatch.setattr(plane.journal, operation, Failing(getattr(plane.journal, operation), times=1_000))
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(world)(make("write")(run))
    assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    assert world.effects == 0
    monkeypatch.undo()
    await settled(plane, run)


@pytest.mark.parametrize("point", ["resolve", "check", "claimable", "decide", "open"])
async def test_a_step_that_breaks_lets_nothing_leave(
    plane: InMemoryPlane, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> Any:
        raise KeyError("bug")

    run, world = await plane.start_run(), World()
    owner = {"resolve": plane.identities, "check": plane.identities, "decide": plane.policy}.get(point, plane.journal)
    monkeypatch.setattr(owner, point, broken)
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(world)(make("write")(run))
    assert caught.value.code is Code.INTERNAL
    assert world.effects == 0
    monkeypatch.undo()
    await settled(plane, run)


class Failing:
    """A journal operation that fails so many times first."""

    def __init__(self, inner: Callable[..., Any], times: int) -> None:
        self.inner, self.left = inner, times

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise AirsideError(Code.JOURNAL_UNAVAILABLE, "the disk is full")
        return await self.inner(*args, **kwargs)
