"""PydanticAI: Chat Completions, Responses, Anthropic and Gemini."""

from typing import Any

import scenario
from pydantic import BaseModel
from pydantic_ai import Agent
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def model(s: Scenario) -> Any:
    """Return the model of the row's format; its provider finds everything in the environment."""
    if s.format == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(
            s.model, provider=AnthropicProvider(anthropic_client=AsyncAnthropic(max_retries=s.retries))
        )
    if s.format == "gemini":
        from pydantic_ai.models.google import GoogleModel

        return GoogleModel(s.model)
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=AsyncOpenAI(max_retries=s.retries))
    return (OpenAIChatModel if s.format == "chat" else OpenAIResponsesModel)(s.model, provider=provider)


async def _run(s: Scenario, agent: Any, prompt: str) -> Any:
    async def handle(_context: Any, events: Any) -> None:
        async for event in events:
            s.hear(getattr(getattr(event, "delta", None), "content_delta", None))

    return (await agent.run(prompt, event_stream_handler=handle if s.stream else None)).output


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return await _run(s, Agent(model(s)), scenario.GREETING)


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    agent = Agent(model(s), instructions=scenario.SYSTEM)
    agent.tool_plain(s.get_order)
    agent.tool_plain(s.get_customer)
    return await _run(s, agent, scenario.QUESTION)


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    return (await _run(s, Agent(model(s), output_type=Verdict), scenario.DECISION)).model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
