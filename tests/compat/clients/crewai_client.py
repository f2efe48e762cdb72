"""CrewAI over Chat Completions."""

import asyncio
from typing import Any

import scenario
from crewai import LLM, Agent, Crew, Task
from crewai.tools import BaseTool
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


class OrderId(BaseModel):
    """The arguments of one tool."""

    id: int


class CustomerName(BaseModel):
    """The arguments of the other."""

    name: str


def _tools(s: Scenario) -> list[BaseTool]:
    class GetOrder(BaseTool):
        name: str = "get_order"
        description: str = "Look up an order"
        args_schema: type[BaseModel] = OrderId

        def _run(self, id: int) -> str:  # noqa: A002 - the tool's own word
            return s.get_order(id)

    class GetCustomer(BaseTool):
        name: str = "get_customer"
        description: str = "Look up a customer"
        args_schema: type[BaseModel] = CustomerName

        def _run(self, name: str) -> str:
            return s.get_customer(name)

    return [GetOrder(), GetCustomer()]


async def _run(s: Scenario, prompt: str, tools: list[BaseTool], **task: Any) -> Any:
    llm = LLM(model=s.model, provider="openai", stream=s.stream, max_retries=s.retries)
    agent = Agent(role="Shop assistant", goal="Help", backstory=scenario.SYSTEM, llm=llm, tools=tools)
    work = Task(description=prompt, expected_output="An answer", agent=agent, **task)
    return await asyncio.to_thread(Crew(agents=[agent], tasks=[work]).kickoff)


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return (await _run(s, scenario.GREETING, [])).raw


async def tools(s: Scenario) -> Any:
    """Run a crew of one with two tools; it takes text beside tool calls for the final answer."""
    return (await _run(s, f"{scenario.QUESTION} {scenario.SILENTLY}", _tools(s))).raw


async def structured(s: Scenario) -> Any:
    """Run a crew of one with a typed result."""
    return (await _run(s, scenario.DECISION, [], output_pydantic=Verdict)).pydantic.model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
