"""Intent before, outcome after, whatever happens in between."""

import asyncio

import pytest
from msgspec.structs import replace

from airside.core.budget import Limits
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.money import NanoUsd
from airside.core.ports import Admission, Forward, Opening
from airside.core.run import Identity
from airside.testing import InMemoryPlane, ScriptedTerminal, echo, model_call, tool_call
from tests.pipeline.conftest import LOCAL, READ, WRITE

NOTHING_RESERVED = {"reserved_nanousd": 0, "reserved_tokens": 0, "reserved_calls": 0}


async def reserved(plane: InMemoryPlane, run: Identity) -> dict[str, int]:
    balance = await plane.balance(run)
    return {key: balance[key] for key in NOTHING_RESERVED}


async def outcomes(plane: InMemoryPlane, run: Identity) -> list[str]:
    return [entry["body"]["state"] for entry in await plane.entries(run) if entry["type"] == "call.outcome"]


async def test_the_intent_is_durable_before_the_call_and_the_outcome_before_the_answer(
    plane: InMemoryPlane, run: Identity
) -> None:
    seen: list[list[str]] = []

    async def terminal(call: Call) -> Outcome:
        seen.append([entry["type"] for entry in await plane.entries(run)])
        return echo(call)

    outcome = await plane.pipeline(terminal)(model_call(run))
    assert seen == [["call.intent"]]
    assert [entry["type"] for entry in await plane.entries(run)] == ["call.intent", "call.outcome"]
    assert outcome.at_us > 0
    balance = await plane.balance(run)
    assert (balance["spent_nanousd"], balance["spent_tokens"], balance["spent_calls"]) == (1_000, 10, 1)
    assert await reserved(plane, run) == NOTHING_RESERVED


@pytest.mark.parametrize(
    ("error", "state", "charged"),
    [
        (AirsideError(Code.UPSTREAM_REJECTED, "no", details={"unbilled": True}), "error", 0),
        (AirsideError(Code.UPSTREAM_TIMEOUT), "transient", 10_000_000),
        (AirsideError(Code.RATE_LIMITED, details={"unbilled": True}), "rate_limited", 0),
        (ValueError("bug"), "transient", 10_000_000),
    ],
)
async def test_a_failed_model_call_has_one_outcome_and_a_charge(
    plane: InMemoryPlane, run: Identity, error: Exception, state: str, charged: int
) -> None:
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(ScriptedTerminal(error))(model_call(run))
    assert caught.value.recorded
    assert await outcomes(plane, run) == [state]
    assert (await plane.balance(run))["spent_nanousd"] == charged
    assert await reserved(plane, run) == NOTHING_RESERVED


async def test_a_cancelled_model_call_pays_its_whole_reservation(plane: InMemoryPlane, run: Identity) -> None:
    begun = asyncio.Event()

    async def terminal(call: Call) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return echo(call)

    task = asyncio.create_task(through(plane.pipeline(terminal), model_call(run)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await outcomes(plane, run) == ["cancelled"]
    assert (await plane.balance(run))["spent_nanousd"] == 10_000_000
    assert await reserved(plane, run) == NOTHING_RESERVED


async def test_a_model_answer_without_usage_pays_its_whole_reservation(plane: InMemoryPlane, run: Identity) -> None:
    unmetered = Outcome(state=CallState.OK, body=b"{}", usage=Usage(), cost=NanoUsd(0))
    await plane.pipeline(ScriptedTerminal(unmetered))(model_call(run))
    assert (await plane.balance(run))["spent_nanousd"] == 10_000_000


async def test_a_tool_whose_client_vanished_finishes_and_is_given_to_the_retry(
    plane: InMemoryPlane, run: Identity
) -> None:
    begun, finish, times = asyncio.Event(), asyncio.Event(), 0

    async def terminal(call: Call) -> Outcome:
        nonlocal times
        times += 1
        begun.set()
        await finish.wait()
        return echo(call)

    pipeline = plane.pipeline(terminal)
    task = asyncio.create_task(through(pipeline, tool_call(run, WRITE, {"amount": 5})))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    retry = asyncio.create_task(through(pipeline, tool_call(run, WRITE, {"amount": 5})))
    finish.set()
    outcome = await retry
    assert outcome.replayed
    assert times == 1
    assert [call["state"] for call in await plane.calls(run)] == ["ok"]


async def test_a_cancelled_read_is_cancelled(plane: InMemoryPlane, run: Identity) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()

    async def terminal(call: Call) -> Outcome:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return echo(call)

    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, READ, {})))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone.is_set()
    assert await outcomes(plane, run) == ["cancelled"]


async def test_a_side_effect_with_an_unclear_end_holds_the_run(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal(TransientError(Code.UPSTREAM_FAILED, "connection lost"))
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, WRITE, {"amount": 5})))
    await plane.suspensions.happened.wait()
    task.cancel()
    assert plane.suspensions.asked[0][1] == "held"
    assert [call["state"] for call in await plane.calls(run)] == ["held"]
    assert len(terminal.calls) == 1


async def test_a_tool_that_says_it_failed_has_an_outcome_that_replays(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal(AirsideError(Code.TOOL_FAILED, "order 7 of Jo Doe is closed"))
    with pytest.raises(AirsideError) as first:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 5}))
    again = await plane.next_attempt(run)
    with pytest.raises(AirsideError) as second:
        await plane.pipeline(terminal)(tool_call(again, WRITE, {"amount": 5}))
    assert (second.value.code, second.value.message) == (first.value.code, first.value.message)
    assert second.value.replayed
    assert len(terminal.calls) == 1
    assert "Jo Doe" not in str(await plane.calls(run)) + str(await plane.entries(run))


async def test_an_exhausted_budget_names_the_node_and_leaves_nothing_reserved(plane: InMemoryPlane) -> None:
    run = await plane.start_run(Limits(nanousd=NanoUsd(9_000_000)))
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(model_call(run))
    assert caught.value.code is Code.BUDGET_EXHAUSTED
    assert caught.value.details["node"] == f"run:{run.run_id}"
    assert caught.value.details["dimension"] == "usd"
    assert not terminal.calls
    assert await reserved(plane, run) == NOTHING_RESERVED
    assert [entry["type"] for entry in await plane.entries(run)] == ["call.refused"]


async def test_calls_wait_for_what_others_reserve_and_then_go(plane: InMemoryPlane) -> None:
    run = await plane.start_run(Limits(nanousd=NanoUsd(10_500_000)))
    pipeline = plane.pipeline(ScriptedTerminal())
    outcomes = await asyncio.gather(*[through(pipeline, model_call(run, f"q{i}")) for i in range(20)])
    assert all(outcome.state is CallState.OK for outcome in outcomes)
    assert await reserved(plane, run) == NOTHING_RESERVED


async def test_a_call_that_waits_in_vain_is_told_so(plane: InMemoryPlane) -> None:
    run = await plane.start_run(Limits(nanousd=NanoUsd(10_500_000)))
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> Outcome:
        begun.set()
        await finish.wait()
        return echo(call)

    pipeline = plane.pipeline(slow)
    first = asyncio.create_task(through(pipeline, model_call(run, "a")))
    await begun.wait()
    with pytest.raises(AirsideError) as caught:
        await pipeline(model_call(run, "b"))
    finish.set()
    await first
    assert caught.value.code is Code.BUDGET_EXHAUSTED
    assert "other calls hold" in caught.value.message


async def test_a_kill_stops_a_call_that_waits_for_budget(plane: InMemoryPlane) -> None:
    run = await plane.start_run(Limits(nanousd=NanoUsd(10_500_000)))
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> Outcome:
        begun.set()
        await finish.wait()
        return echo(call)

    pipeline = plane.pipeline(slow)
    first = asyncio.create_task(through(pipeline, model_call(run, "a")))
    await begun.wait()
    second = asyncio.create_task(through(pipeline, model_call(run, "b")))
    await asyncio.sleep(0)
    plane.identities.killed.add("all")
    with pytest.raises(AirsideError) as caught:
        await second
    finish.set()
    await first
    assert caught.value.code is Code.KILLED


async def test_a_zombie_is_refused_at_the_intent(plane: InMemoryPlane, run: Identity) -> None:
    await plane.next_attempt(run)
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 5}))
    assert caught.value.code is Code.ATTEMPT_SUPERSEDED
    assert not terminal.calls


async def test_a_local_tool_stays_open_until_it_is_reported(plane: InMemoryPlane, run: Identity) -> None:
    pending = Outcome(state=CallState.OK, body=b"", pending=True)
    outcome = await plane.pipeline(ScriptedTerminal(pending))(tool_call(run, LOCAL, {}))
    assert outcome.pending
    assert [call["state"] for call in await plane.calls(run)] == ["open"]
    assert [entry["body"]["executor"] for entry in await plane.entries(run)] == [run.executor_of_attempt]


async def test_contents_of_a_history_are_sealed_once(
    plane: InMemoryPlane, run: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    inner = plane.journal.open

    async def counting(opening: Opening) -> Admission:
        sent.append(len(opening.contents))
        return await inner(opening)

    monkeypatch.setattr(plane.journal, "open", counting)
    pipeline = plane.pipeline(ScriptedTerminal())
    history: tuple[bytes, ...] = ()
    for turn in range(5):
        history += (b'"%d"' % turn,)
        await pipeline(replace(model_call(run), parts=history))
    assert sent == [1] * 5


async def through(pipeline: Forward, call: Call) -> Outcome:
    """A coroutine, for tasks: a Forward promises an awaitable only."""
    return await pipeline(call)
