"""The desk's agents, written with LangChain and LangGraph."""

from typing import Any

import desk
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_openai import ChatOpenAI

TOOLS = [desk.note, desk.pin, desk.look]


def _agent(streaming: bool, *middleware: Any) -> Any:
    model = ChatOpenAI(model="gpt-5.2", streaming=streaming)
    return create_agent(model, TOOLS, system_prompt=desk.INSTRUCTIONS, middleware=middleware)


def _human() -> Any:
    return HumanInTheLoopMiddleware(interrupt_on={"note": True, "pin": True})


KINDS = {
    "agent": _agent(False),
    "streaming": _agent(True),
    "careful": _agent(False, _human()),
    "careful_streaming": _agent(True, _human()),
}


def entry(task: Any) -> Any:
    """Return the graph that the task is for."""
    return KINDS[task["kind"]]
