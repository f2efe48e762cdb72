"""Stock agents of the OpenAI Agents SDK against real gateways."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from airside.core.errors import AirsideError
from airside.runs.isolation.failure import describe

from .conftest import House, calls, refusal, says

agents = pytest.importorskip("agents")

from agents import Agent, function_tool, handoff  # noqa: E402 - only once it is known to be there

from airside.adapters import openai_agents  # noqa: E402


@pytest.fixture(autouse=True)
def chat() -> Iterator[None]:
    """The scripted model speaks Chat Completions."""
    agents.set_default_openai_api("chat_completions")
    yield
    agents.set_default_openai_api("responses")


def tool_results(request: dict[str, Any]) -> list[Any]:
    return [message["content"] for message in request["messages"] if message["role"] == "tool"]


def names(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request.get("tools", ())]


def noting(ran: list[str], **options: Any) -> Any:
    @function_tool(**options)
    def note(text: str) -> dict[str, str]:
        """Take a note."""
        ran.append(text)
        return {"noted": text, "by": "clerk"}

    return note


async def test_hosted_tools_are_added_and_answers_typed(house: House) -> None:
    class Answer(BaseModel):
        order: str

    who = await house.begin()
    agent = Agent("clerk", output_type=Answer, model="gpt-anything")
    house.script += [calls(("find_order", {"order_id": "A1"})), says('{"order": "A1"}')]
    result = await openai_agents.run(agent, "where is it?", house.context(who, ("find_order",), ""))
    assert result == Answer(order="A1")
    assert house.asked[0]["model"] == "gpt-anything"
    assert "find_order" in names(house.asked[0])
    assert json.loads(tool_results(house.asked[1])[0])["order_id"] == "A1"


async def test_the_configured_model_beats_the_agents_and_prefixes_are_left_alone(house: House) -> None:
    house.script += [says("x"), says("y")]
    agent = Agent("clerk", model="anthropic/claude")
    who = await house.begin()
    await openai_agents.run(agent, "x", house.context(who))
    await openai_agents.run(agent, {"a": 1}, house.context(who, model=""))
    assert [asked["model"] for asked in house.asked] == ["small", "anthropic/claude"]
    assert house.asked[1]["messages"][-1]["content"] == '{"a": 1}'


async def test_a_denied_hosted_tool_is_told_to_the_model(house: House) -> None:
    who = await house.begin()
    house.script += [calls(("refund", {"order_id": "A1", "amount": 5, "reason": "late"})), says("I may not")]
    assert await openai_agents.run(Agent("clerk"), "refund!", house.context(who, ("refund",))) == "I may not"
    assert "policy_denied" in tool_results(house.asked[1])[0]


async def test_local_tools_run_once_over_all_attempts(house: House) -> None:
    ran: list[str] = []
    agent = Agent("clerk", tools=[noting(ran)])
    who = await house.begin()
    conversation = [calls(("note", {"text": "milk"}), ("note", {"text": "eggs"})), says("done")]
    house.script += conversation
    assert await openai_agents.run(agent, "shop", house.context(who)) == "done"
    again = await house.again(who)
    house.script += conversation
    assert await openai_agents.run(agent, "shop", house.context(again)) == "done"
    assert sorted(ran) == ["eggs", "milk"]
    assert house.asked[1] == house.asked[3]
    assert [row["state"] for row in await house.plane.calls(again)] == ["ok", "ok"]


async def test_outside_a_run_the_tools_are_as_they_were(house: House) -> None:
    ran: list[str] = []
    agent = Agent("clerk", tools=[noting(ran)])
    who = await house.begin()
    house.script += [calls(("note", {"text": "milk"})), says("done")]
    await openai_agents.run(agent, "shop", house.context(who))
    (tool,) = await agent.get_all_tools(agents.RunContextWrapper(None))
    ctx = agents.tool_context.ToolContext(None, tool_name="note", tool_call_id="c", tool_arguments="{}")
    assert (await tool.on_invoke_tool(ctx, '{"text": "later"}'))["noted"] == "later"
    assert len(await house.plane.calls(who)) == 1


async def test_a_denied_local_tool_does_not_run(house: House) -> None:
    ran: list[str] = []
    who = await house.begin()
    house.script += [calls(("watched", {"text": "x"})), says("could not")]
    agent = Agent("clerk", tools=[noting(ran, name_override="watched")])
    assert await openai_agents.run(agent, "go", house.context(who)) == "could not"
    assert ran == []
    assert "policy_denied" in tool_results(house.asked[1])[0]


async def test_arguments_that_are_no_object_reach_nothing(house: House) -> None:
    ran: list[str] = []
    who = await house.begin()
    broken = calls(("note", {"text": "x"}))
    broken["tool_calls"][0]["function"]["arguments"] = '["x"'
    house.script += [broken, says("sorry")]
    assert await openai_agents.run(Agent("clerk", tools=[noting(ran)]), "go", house.context(who)) == "sorry"
    assert (ran, await house.plane.calls(who)) == ([], [])


async def test_a_failing_tool_replays_with_the_words_of_its_own_error_function(house: House) -> None:
    ran: list[str] = []

    @function_tool(failure_error_function=lambda _, error: f"I broke: {error}")
    def note(text: str) -> str:
        """Take a note."""
        ran.append(text)
        raise ValueError("no paper " * 500)

    who = await house.begin()
    conversation = [calls(("note", {"text": "m"})), says("never mind")]
    house.script += conversation
    await openai_agents.run(Agent("clerk", tools=[note]), "m", house.context(who))
    house.script += conversation
    await openai_agents.run(Agent("clerk", tools=[note]), "m", house.context(await house.again(who)))
    assert ran == ["m"]
    assert tool_results(house.asked[1])[0].startswith("I broke: no paper")
    assert house.asked[1] == house.asked[3]


@pytest.mark.parametrize("verdict", ["approved", "denied", "edited"])
async def test_needs_approval_asks_a_person_about_exactly_that_call(house: House, verdict: str) -> None:
    ran: list[str] = []
    agent = Agent("clerk", tools=[noting(ran, needs_approval=True)])
    who = await house.begin()
    house.plane.reviewers.verdicts = [{"text": "oat milk"} if verdict == "edited" else verdict]
    conversation = [calls(("note", {"text": "milk"})), says("done")]
    house.script += conversation
    assert await openai_agents.run(agent, "go", house.context(who)) == "done"
    ((asked, decision),) = house.plane.reviewers.asked
    assert (asked.name, asked.arguments) == ("note", {"text": "milk"})
    assert [reason.rule for reason in decision.reasons] == ["notes", "agent"]
    told = tool_results(house.asked[1])[0]
    assert ran == {"approved": ["milk"], "denied": [], "edited": ["oat milk"]}[verdict]
    assert {"approved": "noted", "denied": "a reviewer denied it", "edited": "edited_arguments"}[verdict] in told
    house.script += conversation
    assert await openai_agents.run(agent, "go", house.context(await house.again(who))) == "done"
    assert house.asked[1] == house.asked[3]
    assert len(ran) <= 1


async def test_nobody_can_approve_what_policy_denies(house: House) -> None:
    ran: list[str] = []
    agent = Agent("clerk", tools=[noting(ran, needs_approval=True, name_override="watched")])
    who = await house.begin()
    house.plane.reviewers.verdicts = ["approved"]
    house.script += [calls(("watched", {"text": "x"})), says("could not")]
    await openai_agents.run(agent, "go", house.context(who))
    assert (ran, house.plane.reviewers.asked) == ([], [])


async def test_an_outside_program_is_told_that_a_person_is_needed(house: House) -> None:
    agent = Agent("clerk", tools=[noting([], needs_approval=True)])
    who = house.offered(await house.plane.start_run(supervised=False))
    house.script += [calls(("note", {"text": "milk"})), says("done")]
    with pytest.raises(Exception, match="a person must approve") as caught:
        await openai_agents.run(agent, "go", house.context(who))
    assert describe(caught.value)[1] == "approval_required"


async def test_handoffs_and_agents_as_tools_are_governed_and_recorded(house: House) -> None:
    ran: list[str] = []
    writer = Agent("Writer", tools=[noting(ran)])
    researcher = Agent("Researcher", tools=[noting(ran)])
    triage = Agent(
        "Triage",
        handoffs=[handoff(writer)],
        tools=[researcher.as_tool("research", "look things up", needs_approval=True)],
    )
    who = await house.begin()
    house.plane.reviewers.verdicts = ["approved"]
    house.script += [
        calls(("research", {"input": "milk"})),
        calls(("note", {"text": "found"})),
        says("it is white"),
        calls(("transfer_to_writer", {})),
        calls(("note", {"text": "written"})),
        says("all done"),
    ]
    assert await openai_agents.run(triage, "go", house.context(who)) == "all done"
    assert ran == ["found", "written"]
    assert [call.name for call, _ in house.plane.reviewers.asked] == ["research"]
    assert house.actors == ["Triage", "Researcher", "Researcher", "Triage", "Writer", "Writer"]
    intents = [entry["body"] for entry in await house.plane.entries(who) if "notes" in entry["body"]]
    assert [body["notes"]["actor"] for body in intents] == ["Triage", "Researcher", "Writer"]


async def test_an_agent_as_tool_that_nobody_agrees_to_does_not_run(house: House) -> None:
    researcher = Agent("Researcher")
    triage = Agent("Triage", tools=[researcher.as_tool("research", "look things up", needs_approval=True)])
    house.plane.reviewers.verdicts = ["denied"]
    house.script += [calls(("research", {"input": "milk"})), says("well then")]
    assert await openai_agents.run(triage, "go", house.context(await house.begin())) == "well then"
    assert "a reviewer denied it" in tool_results(house.asked[1])[0]


async def test_entries_may_be_functions(house: House) -> None:
    who = await house.begin()
    house.script += [says("made"), says("ran")]

    def factory(task: str) -> Any:
        return Agent(task)

    async def own(task: str) -> str:
        return task.upper()

    assert await openai_agents.run(factory, "clerk", house.context(who)) == "made"
    assert await openai_agents.run(own, "clerk", house.context(who)) == "CLERK"
    with pytest.raises(AirsideError, match=r"not an agents\.Agent"):
        await openai_agents.run("nobody", "x", house.context(who))


async def test_tools_that_act_unseen_are_refused(house: House) -> None:
    who = await house.begin()
    agent = Agent("clerk", tools=[agents.ShellTool(executor=lambda request: "")])
    with pytest.raises(AirsideError, match="acts where airside cannot see it"):
        await openai_agents.run(agent, "x", house.context(who))


async def test_a_spent_budget_ends_the_run_with_its_code(house: House) -> None:
    who = await house.begin()
    house.script.append((402, refusal("budget_exhausted")))
    with pytest.raises(Exception, match="no dollars left") as caught:
        await openai_agents.run(Agent("clerk"), "hello", house.context(who))
    assert describe(caught.value)[1] == "budget_exhausted"


async def test_it_can_be_tried_without_gateways() -> None:
    await openai_agents.prepare(openai_agents.Context(run_id="", gateway_url="http://127.0.0.1:9", token="", model="m"))
