"""The desk's agents, written with PydanticAI."""

from collections.abc import AsyncIterable
from typing import Any

import desk
from pydantic_ai import Agent, Tool
from pydantic_ai.capabilities import ProcessEventStream


async def _listen(_: Any, events: AsyncIterable[Any]) -> None:
    async for _event in events:
        pass


def _agent(**options: Any) -> Any:
    return Agent("openai:gpt-5.2", instructions=desk.INSTRUCTIONS, defer_model_check=True, **options)


def _careful() -> list[Any]:
    return [Tool(desk.note, requires_approval=True), Tool(desk.pin, requires_approval=True), desk.look]


TOOLS = [desk.note, desk.pin, desk.look]
KINDS = {
    "agent": _agent(tools=TOOLS),
    "streaming": _agent(tools=TOOLS, capabilities=[ProcessEventStream(_listen)]),
    "careful": _agent(tools=_careful()),
    "careful_streaming": _agent(tools=_careful(), capabilities=[ProcessEventStream(_listen)]),
}


def entry(task: Any) -> Any:
    """Return the agent that the task is for."""
    return KINDS[task["kind"]]
