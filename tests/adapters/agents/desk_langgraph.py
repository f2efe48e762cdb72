"""The desk's agents, written with LangChain and LangGraph."""

from typing import Any

import desk
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph

TOOLS = [desk.note, desk.pin, desk.look]


def _agent(streaming: bool, *middleware: Any) -> Any:
    model = ChatOpenAI(model="gpt-5.2", streaming=streaming)
    return create_agent(model, TOOLS, system_prompt=desk.INSTRUCTIONS, middleware=middleware)


def _human() -> Any:
    return HumanInTheLoopMiddleware(interrupt_on={"note": True, "pin": True})


def _team() -> Any:
    """Two agents in a row, each a graph within the graph; the first has a name of its own."""
    writer = create_agent(ChatOpenAI(model="gpt-5.2"), [desk.note, desk.pin], name="Writer")
    reader = StateGraph(MessagesState).add_sequence([("ask", lambda state: {"messages": [desk_model.invoke("look")]})])
    team = StateGraph(MessagesState)
    team.add_node("writing", writer)
    team.add_node("reading", reader.add_edge(START, "ask").compile())
    return team.add_edge(START, "writing").add_edge("writing", "reading")


desk_model = ChatOpenAI(model="gpt-5.2")
KINDS = {
    "team": _team(),
    "agent": _agent(False),
    "streaming": _agent(True),
    "careful": _agent(False, _human()),
    "careful_streaming": _agent(True, _human()),
}


def entry(task: Any) -> Any:
    """Return the graph that the task is for."""
    return KINDS[task["kind"]]
