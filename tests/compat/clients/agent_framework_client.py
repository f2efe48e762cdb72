"""Microsoft's agent-framework: Chat Completions, and Responses with `previous_response_id`."""

from typing import Any

import scenario
from agent_framework import Agent
from openai import AsyncOpenAI
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def client(s: Scenario) -> Any:
    """Return the chat client of the row's format."""
    from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

    kind = OpenAIChatCompletionClient if s.format == "chat" else OpenAIChatClient
    return kind(model=s.model, async_client=AsyncOpenAI(max_retries=s.retries))


async def _run(s: Scenario, agent: Any, prompt: str, **options: Any) -> Any:
    if not s.stream:
        return await agent.run(prompt, **options)
    stream = agent.run(prompt, stream=True, **options)
    async for update in stream:
        s.hear(update.text)
    return await stream.get_final_response()


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return (await _run(s, Agent(client=client(s)), scenario.GREETING)).text


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    agent = Agent(client=client(s), instructions=scenario.SYSTEM, tools=[s.get_order, s.get_customer])
    return (await _run(s, agent, scenario.QUESTION)).messages[-1].text


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    answer = await _run(s, Agent(client=client(s)), scenario.DECISION, options={"response_format": Verdict})
    return answer.value.model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
