"""agno: Chat Completions, Responses, Anthropic and Gemini."""

from typing import Any

import scenario
from agno.agent import Agent
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def model(s: Scenario) -> Any:
    """Return the model of the row's format."""
    if s.format == "anthropic":
        from agno.models.anthropic import Claude

        return Claude(id=s.model)
    if s.format == "gemini":
        from agno.models.google import Gemini

        return Gemini(id=s.model)
    from agno.models.openai import OpenAIChat, OpenAIResponses

    return (OpenAIChat if s.format == "chat" else OpenAIResponses)(id=s.model, max_retries=s.retries)


async def _run(s: Scenario, agent: Any, prompt: str) -> Any:
    if not s.stream:
        answer = await agent.arun(prompt)
    else:
        answer = None
        async for event in agent.arun(prompt, stream=True, yield_run_output=True):
            answer = event
    ended = f"{getattr(answer, 'status', '')} {getattr(answer, 'event', '')}"
    if "ERROR" in ended.upper():  # it raises nothing itself
        raise RuntimeError(str(answer.content))
    return answer.content


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return await _run(s, Agent(model=model(s), telemetry=False), scenario.GREETING)


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    declared = [s.get_order, s.get_customer]
    agent = Agent(model=model(s), tools=declared, instructions=scenario.SYSTEM, telemetry=False)
    said = await _run(s, agent, scenario.QUESTION)
    return said.removeprefix("I look both up.").strip()


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    agent = Agent(model=model(s), output_schema=Verdict, telemetry=False)
    return (await _run(s, agent, scenario.DECISION)).model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
