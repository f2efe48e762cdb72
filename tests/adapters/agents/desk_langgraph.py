"""The desk's agents, written with LangChain and LangGraph."""

import os
from typing import Any

import desk
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_openai import ChatOpenAI

TOOLS = [desk.note, desk.pin, desk.look]


def _agent(streaming: bool, *middleware: Any) -> Any:
    responses = os.environ.get("DESK_RESPONSES") == "yes"
    model = ChatOpenAI(model="gpt-5.2", streaming=streaming, use_responses_api=responses)
    return create_agent(model, TOOLS, system_prompt=desk.INSTRUCTIONS, middleware=middleware)


def _human() -> Any:
    return HumanInTheLoopMiddleware(interrupt_on={"note": True, "pin": True})


agent = _agent(False)
streaming = _agent(True)
careful = _agent(False, _human())
careful_streaming = _agent(True, _human())
