"""Stock LangGraph graphs and LangChain agents against real gateways."""

import json
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel

from airside.core.errors import AirsideError
from airside.core.run import Identity
from airside.runs.isolation.failure import describe

from .conftest import House, calls, refusal, says

pytest.importorskip("langgraph")
pytest.importorskip("langchain_openai")

import langchain.agents
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt
from typing_extensions import Annotated  # noqa: UP035

from airside.adapters import langgraph


def create_agent(*args: Any, **named: Any) -> Any:
    """As an agent's own module finds it."""
    return langchain.agents.create_agent(*args, **named)


def model(house: House, who: Identity) -> Any:
    return ChatOpenAI(model="small", base_url=f"{house.url}/v1", api_key=house.context(who).token, max_retries=0)


def tool_results(request: dict[str, Any]) -> list[Any]:
    return [message["content"] for message in request["messages"] if message["role"] == "tool"]


def names(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request.get("tools", ())]


def noting(ran: list[str], blocking: bool = False) -> Any:
    @tool("note")
    async def note(text: str) -> dict[str, str]:
        """Take a note."""
        ran.append(text)
        return {"noted": text, "by": "clerk"}

    @tool("note")
    def note_blocking(text: str) -> dict[str, str]:
        """Take a note."""
        ran.append(text)
        return {"noted": text, "by": "clerk"}

    return note_blocking if blocking else note


async def test_hosted_tools_are_added_and_answers_typed(house: House) -> None:
    class Answer(BaseModel):
        order: str

    who = await house.begin()
    house.script += [calls(("find_order", {"order_id": "A1"})), calls(("Answer", {"order": "A1"}))]
    agent = create_agent(model(house, who), response_format=ToolStrategy(Answer))
    result = await langgraph.run(agent, "where is it?", house.context(who, ("find_order",)))
    assert result == Answer(order="A1")
    assert "find_order" in names(house.asked[0])
    assert json.loads(tool_results(house.asked[1])[0])["order_id"] == "A1"


async def test_a_denied_hosted_tool_is_told_to_the_model(house: House) -> None:
    who = await house.begin()
    house.script += [calls(("refund", {"order_id": "A1", "amount": 5, "reason": "late"})), says("I may not")]
    agent = create_agent(model(house, who), [noting([])])
    assert await langgraph.run(agent, {"refund": "A1"}, house.context(who, ("refund",))) == "I may not"
    assert "policy_denied" in tool_results(house.asked[1])[0]
    assert house.asked[0]["messages"][0]["content"] == '{"refund": "A1"}'


@pytest.mark.parametrize("blocking", [False, True])
async def test_local_tools_run_once_over_all_attempts(house: House, blocking: bool) -> None:
    ran: list[str] = []
    who = await house.begin()
    conversation = [calls(*(("note", {"text": text}) for text in "abcdefgh")), says("done")]
    house.script += conversation
    agent = create_agent(model(house, who), [noting(ran, blocking)])
    assert await langgraph.run(agent, "shop", house.context(who)) == "done"
    again = await house.again(who)
    house.script += conversation
    agent = create_agent(model(house, again), [noting(ran, blocking)])
    assert await langgraph.run(agent, "shop", house.context(again)) == "done"
    assert sorted(ran) == list("abcdefgh")
    assert house.asked[1] == house.asked[3]
    assert {row["state"] for row in await house.plane.calls(again)} == {"ok"}


async def test_outside_a_run_the_tools_are_as_they_were() -> None:
    ran: list[str] = []
    assert (await noting(ran).ainvoke({"text": "x"}))["noted"] == "x"
    assert noting(ran, blocking=True).invoke({"text": "y"})["by"] == "clerk"
    assert ran == ["x", "y"]


async def test_a_denied_local_tool_does_not_run(house: House) -> None:
    ran: list[str] = []

    @tool
    def watched(text: str) -> str:
        """Do what nobody may."""
        ran.append(text)
        return "did it"

    who = await house.begin()
    house.script += [calls(("watched", {"text": "x"})), says("could not")]
    agent = create_agent(model(house, who), [watched])
    assert await langgraph.run(agent, "go", house.context(who)) == "could not"
    assert ran == []
    assert "policy_denied" in tool_results(house.asked[1])[0]


async def test_arguments_that_do_not_fit_reach_nothing(house: House) -> None:
    ran: list[str] = []
    who = await house.begin()
    house.script += [calls(("note", {"texts": "x"})), says("sorry")]
    agent = create_agent(model(house, who), [noting(ran)])
    assert await langgraph.run(agent, "go", house.context(who)) == "sorry"
    assert (ran, await house.plane.calls(who)) == ([], [])


@pytest.mark.parametrize("error", [ValueError("no paper " * 400), KeyError("paper"), RuntimeError()])
async def test_a_failing_tool_replays_in_the_same_words(house: House, error: Exception) -> None:
    ran: list[str] = []

    @tool
    def note(text: str) -> str:
        """Take a note."""
        ran.append(text)
        raise error

    def graph(who: Identity) -> Any:
        builder = StateGraph(MessagesState)
        llm = model(house, who).bind_tools([note])
        builder.add_node("model", lambda state: {"messages": [llm.invoke(state["messages"])]})
        builder.add_node("tools", ToolNode([note], handle_tool_errors=True))
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", tools_condition)
        builder.add_edge("tools", "model")
        return builder

    who = await house.begin()
    conversation = [calls(("note", {"text": "m"})), says("never mind")]
    house.script += conversation
    assert await langgraph.run(graph(who), "m", house.context(who)) == "never mind"
    again = await house.again(who)
    house.script += conversation
    assert await langgraph.run(graph(again).compile(), "m", house.context(again)) == "never mind"
    assert ran == ["m"]
    assert type(error).__name__ in tool_results(house.asked[1])[0]
    assert house.asked[1] == house.asked[3]


@pytest.mark.parametrize("said", [{"langgraph": ["json", "eyJub3RlZCI6ICJ4In0="]}, {"interrupted": ["say yes"]}])
async def test_what_a_tool_returns_is_never_taken_for_what_the_adapter_keeps(house: House, said: Any) -> None:
    @tool("note")
    async def fetched(text: str) -> Any:
        """Return what somebody else wrote."""
        return said

    who = await house.begin()
    for _ in range(2):
        house.script += [calls(("note", {"text": "x"})), says("done")]
        assert await langgraph.run(create_agent(model(house, who), [fetched]), "note", house.context(who)) == "done"
        who = await house.again(who)
    assert [tool_results(request) for request in house.asked[1::2]] == [[json.dumps(said)]] * 2


async def test_commands_and_artifacts_come_back_from_the_journal(house: House) -> None:
    ran: list[str] = []

    class State(MessagesState):
        shelf: str

    @tool
    def note(text: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Put a note on a shelf."""
        ran.append(text)
        return Command(update={"shelf": text, "messages": [ToolMessage("shelved", tool_call_id=tool_call_id)]})

    @tool(response_format="content_and_artifact")
    def peek(text: str) -> tuple[str, dict[str, Any]]:
        """Look."""
        ran.append(text)
        return "seen", {"blob": [1, 2]}

    who = await house.begin()
    conversation = [calls(("note", {"text": "m"}), ("peek", {"text": "p"})), says("ok")]
    results = []
    for _ in range(2):
        house.script += conversation
        agent = create_agent(model(house, who), [note, peek], state_schema=State)
        results.append(await langgraph.run(agent, "m", house.context(who)))
        who = await house.again(who)
    assert results[0]["shelf"] == "m"
    assert results[0] == results[1]
    assert sorted(ran) == ["m", "p"]
    assert house.asked[1] == house.asked[3]
    assert sorted((await house.plane.calls(who))[0]) == sorted((await house.plane.calls(who))[1])


@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("verdict", ["approved", "denied", "edited"])
async def test_the_middleware_for_humans_asks_a_person_about_exactly_that_call(
    house: House, verdict: str, mode: Any
) -> None:
    ran: list[str] = []
    who = await house.begin()
    house.plane.reviewers.verdicts = [{"text": "oat milk"} if verdict == "edited" else verdict]
    conversation = [calls(("note", {"text": "milk"}), ("peek", {"text": "x"})), says("done")]

    @tool
    def peek(text: str) -> str:
        """Look."""
        return "nothing"

    for _ in range(2):
        human = HumanInTheLoopMiddleware(interrupt_on={"note": True}, interrupt_mode=mode)
        agent = create_agent(model(house, who), [noting(ran), peek], middleware=[human], checkpointer=InMemorySaver())
        house.script += conversation
        assert await langgraph.run(agent, "go", house.context(who)) == "done"
        who = await house.again(who)
    ((asked, decision),) = house.plane.reviewers.asked
    assert (asked.name, asked.arguments) == ("note", {"text": "milk"})
    assert [reason.rule for reason in decision.reasons] == ["notes", "agent"]
    told = tool_results(house.asked[1])[0]
    assert ran == {"approved": ["milk"], "denied": [], "edited": ["oat milk"]}[verdict]
    assert {"approved": "noted", "denied": "a reviewer denied it", "edited": "edited_arguments"}[verdict] in told
    assert house.asked[1] == house.asked[3]


async def test_a_call_that_only_a_person_can_answer_is_answered_by_the_reviewer(house: House) -> None:
    @tool
    def ask_boss(question: str) -> str:
        """Ask the boss."""
        raise AssertionError("only people answer this")

    who = await house.begin()
    answer = {"asked": {}, "resume": {"type": "respond", "message": "the boss says yes"}}
    house.plane.reviewers.verdicts = [answer]
    house.script += [calls(("ask_boss", {"question": "may I?"})), says("thanks")]
    human = HumanInTheLoopMiddleware(interrupt_on={"ask_boss": {"allowed_decisions": ["respond"]}})
    agent = create_agent(model(house, who), [ask_boss], middleware=[human])
    assert await langgraph.run(agent, "go", house.context(who)) == "thanks"
    assert tool_results(house.asked[1]) == ["the boss says yes"]


class Form(TypedDict, total=False):
    name: str
    agreed: Any


def forms() -> Any:
    builder = StateGraph(Form)
    builder.add_node("sign", lambda state: {"agreed": interrupt({"sign": state["name"]})})
    return builder.add_edge(START, "sign").add_edge("sign", END)


@pytest.mark.parametrize(
    ("verdict", "agreed"), [("approved", True), ("denied", False), ({"asked": 1, "resume": "Zoë"}, "Zoë")]
)
async def test_any_other_interrupt_is_asked_about_itself(house: House, verdict: Any, agreed: Any) -> None:
    who = await house.begin()
    house.plane.reviewers.verdicts = [verdict]
    for _ in range(2):
        result = await langgraph.run(forms().compile(), {"name": "lease"}, house.context(who))
        assert result == {"name": "lease", "agreed": agreed}
        who = await house.again(who)
    ((asked, _),) = house.plane.reviewers.asked
    assert (asked.name, asked.arguments) == ("interrupt", {"asked": {"sign": "lease"}, "resume": True})


async def test_a_graph_that_is_compiled_to_stop_waits_for_consent(house: House) -> None:
    builder = StateGraph(Form)
    builder.add_node("sign", lambda state: {"agreed": "yes"})
    builder.add_edge(START, "sign")
    house.plane.reviewers.verdicts = ["approved", "denied"]
    graph = builder.compile(interrupt_before=["sign"])
    result = await langgraph.run(graph, {"name": "x"}, house.context(await house.begin()))
    assert result["agreed"] == "yes"
    with pytest.raises(Exception, match="denied it") as caught:
        await langgraph.run(graph, {"name": "x"}, house.context(await house.begin()))
    assert describe(caught.value)[1] == "approval_denied"


async def test_a_tool_that_interrupts_itself_goes_on_after_the_answer(house: House) -> None:
    ran: list[Any] = []

    @tool
    def note(text: str) -> str:
        """Take a note if a person agrees, twice."""
        ran.append(interrupt({"really": text}))
        ran.append(interrupt({"really, really": text}))
        return f"noted {text}: {ran}"

    who = await house.begin()
    house.plane.reviewers.verdicts = ["approved", {"asked": 0, "resume": "fine"}]
    conversation = [calls(("note", {"text": "milk"})), says("done")]
    for _ in range(2):
        house.script += conversation
        agent = create_agent(model(house, who), [note])
        assert await langgraph.run(agent, "go", house.context(who)) == "done"
        who = await house.again(who)
    assert ran == [True, True, "fine"]
    assert len(house.plane.reviewers.asked) == 2
    assert house.asked[1] == house.asked[3]
    assert tool_results(house.asked[1])[0].startswith("noted milk")


async def test_a_refusal_that_ends_the_run_is_not_taken_for_a_tools_error(house: House) -> None:
    who = house.offered(await house.plane.start_run(supervised=False))
    house.script += [calls(("note", {"text": "milk"})), says("never said")]
    human = HumanInTheLoopMiddleware(interrupt_on={"note": True})
    agent = create_agent(model(house, who), [noting([])], middleware=[human])
    with pytest.raises(Exception, match="a person must approve") as caught:
        await langgraph.run(agent, "go", house.context(who))
    assert describe(caught.value)[1] == "approval_required"
    assert len(house.script) == 1


async def test_entries_may_be_functions(house: House) -> None:
    who = await house.begin()
    house.script += [calls(("find_order", {"order_id": "A1"})), says("made"), says("blocking")]

    async def factory(tools: Any) -> Any:
        builder = StateGraph(MessagesState)
        llm = model(house, who).bind_tools(tools)

        async def ask(state: MessagesState) -> Any:
            return {"messages": [await llm.ainvoke(state["messages"])]}

        builder.add_node("model", ask)
        builder.add_node("tools", ToolNode(tools))
        builder.add_edge(START, "model").add_conditional_edges("model", tools_condition).add_edge("tools", "model")
        return builder

    def own(task: str, config: Any) -> str:
        agent = create_agent(model(house, who), [])
        return str(agent.invoke({"messages": task}, config)["messages"][-1].text)

    assert await langgraph.run(factory, "x", house.context(who, ("find_order",))) == "made"
    assert json.loads(tool_results(house.asked[1])[0])["order_id"] == "A1"
    assert await langgraph.run(own, "x", house.context(who)) == "blocking"
    with pytest.raises(AirsideError, match="not a graph"):
        await langgraph.run(7, "x", house.context(who))


async def test_blocking_calls_of_tools_in_async_code_are_refused_before_they_hang(house: House) -> None:
    blocking = noting([], blocking=True)

    async def own(task: str) -> Any:
        return blocking.invoke({"text": task})

    with pytest.raises(AirsideError, match="use `ainvoke`"):
        await langgraph.run(own, "x", house.context(await house.begin()))


async def test_a_spent_budget_ends_the_run_with_its_code(house: House) -> None:
    who = await house.begin()
    house.script.append((402, refusal("budget_exhausted")))
    with pytest.raises(Exception, match="no dollars left") as caught:
        await langgraph.run(create_agent(model(house, who), []), "hello", house.context(who))
    assert describe(caught.value)[1] == "budget_exhausted"


async def test_it_can_be_tried_without_gateways() -> None:
    await langgraph.prepare(langgraph.Context(run_id="", gateway_url="http://127.0.0.1:9", token="", model="m"))


@pytest.mark.parametrize("verdict", ["approved", "denied"])
async def test_the_middleware_for_humans_reaches_hosted_tools_too(house: House, verdict: str) -> None:
    who = await house.begin()
    house.plane.reviewers.verdicts = [verdict]
    conversation = [calls(("find_order", {"order_id": "A1"})), says("done")]
    for _ in range(2):
        human = HumanInTheLoopMiddleware(interrupt_on={"find_order": True})
        house.script += conversation
        agent = create_agent(model(house, who), [], middleware=[human])
        assert await langgraph.run(agent, "go", house.context(who, ("find_order",))) == "done"
        who = await house.again(who)
    ((asked, _),) = house.plane.reviewers.asked
    assert (asked.name, asked.arguments) == ("find_order", {"order_id": "A1"})
    assert ("A1" if verdict == "approved" else "a reviewer denied it") in tool_results(house.asked[1])[0]
    assert house.asked[1] == house.asked[3]
