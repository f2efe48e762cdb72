"""Approvals: bound to one call, edited ones judged anew, and deny wins."""

import asyncio

import pytest
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.core.run import Identity
from airside.pipeline.compose import compose
from airside.policy import parse
from airside.testing import InMemoryPlane, ScriptedTerminal, tool_call
from tests.pipeline.conftest import FORBIDDEN, WRITE
from tests.pipeline.test_record import through


async def test_a_denied_call_does_not_leave_and_names_the_rule(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 2_000}))
    assert caught.value.code is Code.POLICY_DENIED
    assert "huge" in caught.value.message
    assert not terminal.calls
    (entry,) = await plane.entries(run)
    assert entry["type"] == "call.refused"
    assert entry["body"]["decision"]["reasons"][0]["rule"] == "huge"


async def test_what_no_rule_allows_is_denied_and_the_denial_replays(plane: InMemoryPlane, run: Identity) -> None:
    pipeline = plane.pipeline(ScriptedTerminal())
    with pytest.raises(AirsideError) as first:
        await pipeline(tool_call(run, FORBIDDEN, {}))
    plane.policy = parse("rules: [{name: now, then: allow}]")
    again = await plane.next_attempt(run)
    with pytest.raises(AirsideError) as second:
        await plane.pipeline(ScriptedTerminal())(tool_call(again, FORBIDDEN, {}))
    assert (second.value.code, second.value.message) == (first.value.code, first.value.message)
    assert second.value.replayed


async def test_an_unsupervised_program_is_told_that_it_needs_an_approval(plane: InMemoryPlane) -> None:
    run = await plane.start_run(supervised=False)
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(ScriptedTerminal())(tool_call(run, WRITE, {"amount": 51}))
    assert caught.value.code is Code.APPROVAL_REQUIRED
    assert not plane.reviewers.asked


async def test_a_pending_call_is_not_answered_and_holds_nothing(plane: InMemoryPlane, run: Identity) -> None:
    terminal = ScriptedTerminal()
    task = asyncio.create_task(through(plane.pipeline(terminal), tool_call(run, WRITE, {"amount": 51})))
    await plane.suspensions.happened.wait()
    await asyncio.sleep(0)
    assert not task.done()
    assert (await plane.balance(run))["reserved_calls"] == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not terminal.calls


@pytest.mark.parametrize(("verdict", "code"), [("denied", Code.APPROVAL_DENIED), ("expired", Code.APPROVAL_EXPIRED)])
async def test_a_reviewers_no_is_an_answer_that_replays(
    plane: InMemoryPlane, run: Identity, verdict: str, code: Code
) -> None:
    plane.reviewers.verdicts = [verdict]
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as first:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert first.value.code is code
    again = await plane.next_attempt(run)
    with pytest.raises(AirsideError) as second:
        await plane.pipeline(terminal)(tool_call(again, WRITE, {"amount": 51}))
    assert second.value.message == first.value.message
    assert len(plane.reviewers.asked) == 1
    assert not terminal.calls


async def test_an_approved_call_executes_once_and_names_its_approval(plane: InMemoryPlane, run: Identity) -> None:
    plane.reviewers.verdicts = ["approved"]
    terminal = ScriptedTerminal()
    await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    again = await plane.next_attempt(run)
    outcome = await plane.pipeline(terminal)(tool_call(again, WRITE, {"amount": 51}))
    assert outcome.replayed
    assert len(terminal.calls) == 1
    assert terminal.calls[0].approval_id.startswith("apr_")


async def test_an_edit_is_what_executes_and_the_agents_request_still_finds_it(
    plane: InMemoryPlane, run: Identity
) -> None:
    plane.reviewers.verdicts = [{"amount": 40}]
    terminal = ScriptedTerminal()
    outcome = await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert outcome.edited
    assert outcome.arguments == b'{"amount":40}'
    assert terminal.calls[0].arguments == {"amount": 40}
    assert terminal.calls[0].parts == (b'{"amount":40}',)
    again = await plane.next_attempt(run)
    replayed = await plane.pipeline(terminal)(tool_call(again, WRITE, {"amount": 51}))
    assert replayed.edited
    assert replayed.body == outcome.body
    assert len(terminal.calls) == 1


async def test_an_edit_beyond_what_policy_allows_is_denied(plane: InMemoryPlane, run: Identity) -> None:
    plane.reviewers.verdicts = [{"amount": 5_000}]
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert caught.value.code is Code.POLICY_DENIED
    assert not terminal.calls


async def test_what_was_forbidden_while_the_reviewer_thought_does_not_leave(
    plane: InMemoryPlane, run: Identity
) -> None:
    answers = [plane.policy, parse("rules: [{name: stop, then: deny}]")]

    class Changing:
        def decide(self, call, tool):  # type: ignore[no-untyped-def]
            return answers.pop(0).decide(call, tool)

    plane.policy = Changing()
    plane.reviewers.verdicts = ["approved"]
    terminal = ScriptedTerminal()
    with pytest.raises(AirsideError) as caught:
        await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert caught.value.code is Code.POLICY_DENIED
    assert not terminal.calls


async def test_an_approval_serves_one_call_only(plane: InMemoryPlane, run: Identity) -> None:
    plane.reviewers.verdicts = ["approved"]
    terminal = ScriptedTerminal()
    await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    used = terminal.calls[0].approval_id

    class Stale:
        async def ask(self, call, decision, tool):  # type: ignore[no-untyped-def]
            answer = await plane.reviewers.ask(call, decision)
            return replace(answer, approval_id=used)

    plane.reviewers.verdicts = ["approved"]
    steps = plane.steps()
    steps[4]._approvals = Stale()  # type: ignore[attr-defined]
    with pytest.raises(AirsideError) as caught:
        await compose(steps, terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert caught.value.code is Code.APPROVAL_EXPIRED
    assert len(terminal.calls) == 1
