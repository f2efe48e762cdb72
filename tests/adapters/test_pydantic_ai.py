"""Stock PydanticAI agents against real gateways."""

import json
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ApprovalRequired, BinaryContent, ModelRetry, RunContext, ToolReturn
from pydantic_ai.models.test import TestModel

from airside.adapters import pydantic_ai
from airside.core.errors import AirsideError
from airside.runs.isolation.failure import describe

from .conftest import House, calls, refusal, says


def tool_results(request):
    return [message["content"] for message in request["messages"] if message["role"] == "tool"]


async def test_hosted_tools_are_added_and_answers_typed(house: House) -> None:
    class Answer(BaseModel):
        order: str

    who = await house.begin()
    agent = Agent("openai:gpt-anything", output_type=Answer, defer_model_check=True)
    house.script += [calls(("find_order", {"order_id": "A1"})), calls(("final_result", {"order": "A1"}))]
    result = await pydantic_ai.run(agent, "where is it?", house.context(who, ("find_order",), ""))
    assert result == Answer(order="A1")
    assert house.asked[0]["model"] == "gpt-anything"
    assert "find_order" in [tool["function"]["name"] for tool in house.asked[0]["tools"]]
    assert json.loads(tool_results(house.asked[1])[0])["order_id"] == "A1"


async def test_a_denied_hosted_tool_is_told_to_the_model(house: House) -> None:
    who = await house.begin()
    agent = Agent("openai:gpt-anything", defer_model_check=True)
    house.script += [calls(("refund", {"order_id": "A1", "amount": 5, "reason": "late"})), says("I may not")]
    assert await pydantic_ai.run(agent, {"refund": "A1"}, house.context(who, ("refund",))) == "I may not"
    assert "policy_denied" in tool_results(house.asked[1])[0]
    assert house.asked[0]["messages"][0]["content"] == '{"refund": "A1"}'


async def test_local_tools_run_once_over_all_attempts(house: House) -> None:
    ran = []
    agent = Agent("openai:gpt-anything", defer_model_check=True)

    @agent.tool_plain
    def note(text: str) -> dict[str, str]:
        """Take a note."""
        ran.append(text)
        return {"noted": text}

    who = await house.begin()
    conversation = [calls(("note", {"text": "milk"})), says("done")]
    house.script += conversation
    assert await pydantic_ai.run(agent, "milk", house.context(who)) == "done"
    again = await house.again(who)
    house.script += conversation
    assert await pydantic_ai.run(agent, "milk", house.context(again)) == "done"
    assert ran == ["milk"]
    assert house.asked[1]["messages"] == house.asked[3]["messages"]
    assert [row["state"] for row in await house.plane.calls(again)] == ["ok"]


async def test_a_denied_local_tool_does_not_run(house: House) -> None:
    ran = []
    agent = Agent("openai:gpt-anything", defer_model_check=True)

    @agent.tool_plain
    def watched(text: str) -> str:
        """Do what nobody may."""
        ran.append(text)
        return "did it"

    who = await house.begin()
    house.script += [calls(("watched", {"text": "x"})), says("could not")]
    assert await pydantic_ai.run(agent, "go", house.context(who)) == "could not"
    assert ran == []
    assert "did it" not in tool_results(house.asked[1])[0]


async def test_a_retry_asked_for_by_a_local_tool_replays_as_one(house: House) -> None:
    ran = []
    agent = Agent("openai:gpt-anything", defer_model_check=True)

    @agent.tool_plain
    def note(text: str) -> str:
        """Take a note."""
        ran.append(text)
        raise ModelRetry("say more")

    who = await house.begin()
    conversation = [calls(("note", {"text": "m"})), says("never mind")]
    house.script += conversation
    await pydantic_ai.run(agent, "m", house.context(who))
    house.script += conversation
    await pydantic_ai.run(agent, "m", house.context(await house.again(who)))
    assert ran == ["m"]
    assert "say more" in tool_results(house.asked[1])[0]
    assert tool_results(house.asked[1]) == tool_results(house.asked[3])


async def test_a_spent_budget_ends_the_run_with_its_code(house: House) -> None:
    who = await house.begin()
    house.script.append((402, refusal("budget_exhausted")))
    with pytest.raises(Exception, match="no dollars left") as caught:
        await pydantic_ai.run(Agent("openai:gpt", defer_model_check=True), "hello", house.context(who))
    assert describe(caught.value)[1] == "budget_exhausted"


async def test_models_that_call_nobody_stay(house: House) -> None:
    who = await house.begin()
    assert await pydantic_ai.run(Agent(TestModel(custom_output_text="mine")), "x", house.context(who)) == "mine"
    with pytest.raises(AirsideError, match="names no model"):
        await pydantic_ai.run(Agent(), "x", house.context(who, model=""))
    with pytest.raises(AirsideError, match=r"not a pydantic_ai\.Agent"):
        await pydantic_ai.run("nobody", "x", house.context(who))


async def test_results_of_several_keys_media_and_returns_apart_replay_byte_for_byte(house: House) -> None:
    ran = []
    agent = Agent("openai:gpt-anything", defer_model_check=True)

    @agent.tool_plain
    def note(text: str) -> Any:
        """Take a note."""
        ran.append(text)
        if text == "return":
            return ToolReturn({"z": 1, "a": 2}, content="look here", metadata={"for": "us"})
        return {"z": {"y": 1, "b": 2}, "a": 1} if text == "keys" else BinaryContent(b"\x89PNG", media_type="image/png")

    who = await house.begin()
    conversation = [calls(*(("note", {"text": text}) for text in ("keys", "return", "media"))), says("done")]
    for _ in range(2):
        house.script += conversation
        assert await pydantic_ai.run(agent, "go", house.context(who)) == "done"
        who = await house.again(who)
    assert sorted(ran) == ["keys", "media", "return"]
    assert house.asked[1] == house.asked[3]
    assert "look here" in str(house.asked[3])


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("verdict", ["approved", "denied", "edited"])
async def test_what_tools_want_approved_a_person_is_asked_about(house: House, verdict: str, early: bool) -> None:
    ran = []
    agent = Agent("openai:gpt-anything", defer_model_check=True)

    @agent.tool(requires_approval=early)
    def note(ctx: RunContext, text: str) -> str:
        """Take a note."""
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        ran.append(text)
        return f"noted {text}"

    who = await house.begin()
    house.plane.reviewers.verdicts = [{"text": "oat milk"} if verdict == "edited" else verdict]
    conversation = [calls(("note", {"text": "milk"})), says("done")]
    for _ in range(2):
        house.script += conversation
        assert await pydantic_ai.run(agent, "go", house.context(who)) == "done"
        who = await house.again(who)
    ((asked, decision),) = house.plane.reviewers.asked
    assert (asked.name, asked.arguments) == ("note", {"text": "milk"})
    assert [reason.rule for reason in decision.reasons] == ["notes", "agent"]
    assert ran == {"approved": ["milk"], "denied": [], "edited": ["oat milk"]}[verdict]
    told = tool_results(house.asked[1])[0]
    assert {"approved": "noted", "denied": "a reviewer denied it", "edited": "edited_arguments"}[verdict] in told
    assert house.asked[1] == house.asked[3]
