"""LangGraph and LangChain: Chat Completions, Responses and Anthropic."""

from typing import Any

import scenario
from langchain.agents import create_agent
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def model(s: Scenario) -> Any:
    """Return the model of the row's format."""
    if s.format == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=s.model, max_retries=s.retries, max_tokens=4_096)
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=s.model, max_retries=s.retries, use_responses_api=s.format == "responses")


def _text(message: Any) -> str:
    content = message.content
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


async def _run(s: Scenario, agent: Any, prompt: str) -> Any:
    asked = {"messages": [{"role": "user", "content": prompt}]}
    if not s.stream:
        return await agent.ainvoke(asked)
    last: Any = None
    async for kind, value in agent.astream(asked, stream_mode=["messages", "values"]):
        if kind == "values":
            last = value
        elif type(value[0]).__name__ == "AIMessageChunk":
            s.hear(_text(value[0]))
    return last


async def ask(s: Scenario) -> Any:
    """Ask the model itself."""
    if not s.stream:
        return _text(await model(s).ainvoke(scenario.GREETING))
    said = ""
    async for chunk in model(s).astream(scenario.GREETING):
        said += _text(chunk)
        s.hear(_text(chunk))
    return said


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    agent = create_agent(model(s), tools=[s.get_order, s.get_customer], system_prompt=scenario.SYSTEM)
    return _text((await _run(s, agent, scenario.QUESTION))["messages"][-1])


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    agent = create_agent(model(s), tools=[s.get_order], response_format=Verdict)
    return (await _run(s, agent, scenario.DECISION))["structured_response"].model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
