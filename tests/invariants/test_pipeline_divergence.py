"""Invariant 12: an agent that does something else than before its crash is stopped before it leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from airside.core.run import Identity
from airside.pipeline.compose import compose
from airside.pipeline.replay import Replay
from airside.policy import parse
from airside.testing import InMemoryPlane, ScriptedTerminal, model_call, tool_call
from tests.pipeline.conftest import READ, WRITE
from tests.pipeline.test_record import through


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[InMemoryPlane]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")
    policy = parse("rules: [{name: all, then: allow}]")
    async with InMemoryPlane(policy=policy, tools=[READ, WRITE], database_url=url) as opened:
        yield opened


async def crashed(plane: InMemoryPlane, *amounts: int) -> Identity:
    """A second attempt of a run that has made these refunds."""
    run = await plane.start_run()
    for amount in amounts:
        await plane.pipeline(ScriptedTerminal())(tool_call(run, WRITE, {"amount": amount}))
    return await plane.next_attempt(run)


async def clock_passes(plane: InMemoryPlane, seconds: float) -> None:
    """Let other tasks go on until they have slept so long."""
    for _ in range(1_000_000):
        if plane.clock.monotonic_s() >= seconds:
            return
        await asyncio.sleep(0)
    raise AssertionError("nothing sleeps")


async def test_a_new_side_effect_in_place_of_a_recorded_one_never_leaves(plane: InMemoryPlane) -> None:
    run = await crashed(plane, 1)
    terminal = ScriptedTerminal()
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, WRITE, {"amount": 2})))
    await plane.suspensions.happened.wait()
    task.cancel()
    assert plane.suspensions.asked[0][1] == "diverged"
    assert not terminal.calls
    assert plane.clock.monotonic_s() >= 30.0
    assert len(await plane.calls(run)) == 1


async def test_a_branch_that_runs_ahead_waits_for_the_others_and_then_goes(plane: InMemoryPlane) -> None:
    run = await crashed(plane, 1, 2)
    terminal = ScriptedTerminal()
    pipeline = plane.pipeline(terminal)
    ahead = [asyncio.create_task(through(pipeline, tool_call(run, WRITE, {"amount": 10 + n}))) for n in range(5)]
    await asyncio.sleep(0)
    assert not terminal.calls
    for amount in (2, 1):
        assert (await pipeline(tool_call(run, WRITE, {"amount": amount}))).replayed
    outcomes = await asyncio.gather(*ahead)
    assert not any(outcome.replayed for outcome in outcomes)
    assert len(terminal.calls) == 5
    assert not plane.suspensions.asked


async def test_reads_and_model_calls_go_on_and_are_counted(plane: InMemoryPlane) -> None:
    run = await crashed(plane, 1)
    steps = plane.steps()
    (replay,) = [step for step in steps if isinstance(step, Replay)]
    pipeline = compose(steps, ScriptedTerminal())
    await pipeline(model_call(run, "something new"))
    await pipeline(tool_call(run, READ, {"other": True}))
    assert not plane.suspensions.asked
    assert replay.divergence.replay_misses == 2
    assert (await pipeline(tool_call(run, WRITE, {"amount": 1}))).replayed


async def test_an_effect_repeated_more_often_than_recorded_goes_once_all_are_met(plane: InMemoryPlane) -> None:
    run = await crashed(plane, 1)
    terminal = ScriptedTerminal()
    pipeline = plane.pipeline(terminal)
    first = await pipeline(tool_call(run, WRITE, {"amount": 1}))
    second = await pipeline(tool_call(run, WRITE, {"amount": 1}))
    assert first.replayed
    assert not second.replayed
    assert len(terminal.calls) == 1


async def test_work_in_flight_keeps_the_held_call_waiting(plane: InMemoryPlane) -> None:
    """The clock runs far past the limit while a model call is open; only after it is the run given up."""
    run = await crashed(plane, 1)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(call):  # type: ignore[no-untyped-def]
        begun.set()
        await finish.wait()
        return await ScriptedTerminal()(call)

    model = asyncio.create_task(through(plane.pipeline(slow), model_call(run)))
    await begun.wait()
    terminal = ScriptedTerminal()
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, WRITE, {"amount": 2})))
    await clock_passes(plane, 100.0)
    assert not plane.suspensions.asked
    finish.set()
    await model
    await plane.suspensions.happened.wait()
    task.cancel()
    assert not terminal.calls


async def test_with_no_effect_recorded_the_run_simply_restarts(plane: InMemoryPlane) -> None:
    run = await plane.start_run()
    await plane.pipeline(ScriptedTerminal())(model_call(run))
    again = await plane.next_attempt(run)
    outcome = await plane.pipeline(ScriptedTerminal())(tool_call(again, WRITE, {"amount": 9}))
    assert not outcome.replayed
