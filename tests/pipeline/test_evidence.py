"""Evidence: facts are gathered in order before policy is asked, and again for an edit; a failing witness stops it."""

import pytest
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.policy import Facts
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.pipeline.evidence import Evidence
from airside.testing import InMemoryPlane, ScriptedTerminal, tool_call
from airside.testing.clock import FakeClock
from tests.pipeline.conftest import WRITE

TOOL = Tool(name="refund", description="", schema={})


async def counting(call: Call, tool: Tool, facts: Facts) -> Facts:
    """Say how many things were known before."""
    return replace(facts, taints=(*facts.taints, f"{tool.name}:{len(facts.taints)}"))


async def passed_on(call: Call) -> Outcome:
    """Answer with the facts that policy would see."""
    return Outcome(state=CallState.OK, body=",".join(call.facts.taints).encode(), message=str(call.facts.at_us))


async def test_each_witness_sees_what_those_before_it_said(run: Identity) -> None:
    clock = FakeClock()
    step = Evidence([counting, counting], lambda _: TOOL, clock)
    outcome = await step(tool_call(run, TOOL, {}), passed_on)
    assert outcome.body == b"refund:0,refund:1"
    assert outcome.message == str(clock.now_us())


async def test_calls_of_no_known_tool_are_let_pass_without_facts(run: Identity) -> None:
    step = Evidence([counting], lambda _: None, FakeClock())
    assert (await step(tool_call(run, TOOL, {}), passed_on)).body == b""


async def test_a_witness_that_fails_stops_the_call(run: Identity) -> None:
    async def broken(call: Call, tool: Tool, facts: Facts) -> Facts:
        raise AirsideError(Code.JOURNAL_UNAVAILABLE)

    async def never(call: Call) -> Outcome:
        raise AssertionError("the call went on without its facts")

    with pytest.raises(AirsideError) as refused:
        await Evidence([counting, broken], lambda _: TOOL, FakeClock())(tool_call(run, TOOL, {}), never)
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE


async def test_an_edit_is_decided_on_its_own_facts(plane: InMemoryPlane, run: Identity) -> None:
    seen: list[object] = []

    async def noting(call: Call, tool: Tool, facts: Facts) -> Facts:
        seen.append(dict(call.arguments or {}))
        return facts

    plane.witnesses = [noting]
    plane.reviewers.verdicts = [{"amount": 20}]
    terminal = ScriptedTerminal()
    await plane.pipeline(terminal)(tool_call(run, WRITE, {"amount": 51}))
    assert seen == [{"amount": 51}, {"amount": 20}]
    assert len(terminal.calls) == 1
