"""The OpenAI Agents SDK: Responses and Chat Completions."""

from typing import Any

import scenario
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from openai import AsyncOpenAI
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def model(s: Scenario) -> Any:
    """Return the model of the row's format."""
    kind = OpenAIChatCompletionsModel if s.format == "chat" else OpenAIResponsesModel
    return kind(s.model, openai_client=AsyncOpenAI(max_retries=s.retries))


async def _run(s: Scenario, agent: Any, prompt: str) -> Any:
    if not s.stream:
        return (await Runner.run(agent, prompt)).final_output
    result = Runner.run_streamed(agent, prompt)
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            s.hear(event.data.delta)
    return result.final_output


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return await _run(s, Agent(name="shop", model=model(s)), scenario.GREETING)


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    declared = [function_tool(s.get_order), function_tool(s.get_customer)]
    agent = Agent(name="shop", instructions=scenario.SYSTEM, model=model(s), tools=declared)
    return await _run(s, agent, scenario.QUESTION)


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    agent = Agent(name="shop", model=model(s), output_type=Verdict)
    return (await _run(s, agent, scenario.DECISION)).model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
