"""The plain `anthropic` SDK: Messages, the tool runner, and message threads where the SDK has them."""

from typing import Any

import scenario
from anthropic import AsyncAnthropic, beta_async_tool
from pydantic import BaseModel
from scenario import Scenario

TOKENS = 4_096
THINKING = {"type": "enabled", "budget_tokens": 1_024}


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def client(s: Scenario) -> AsyncAnthropic:
    """Return a client that knows nothing but its environment."""
    return AsyncAnthropic(max_retries=s.retries)


def _user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    message = await _message(s, messages=_user(scenario.GREETING))
    return "".join(block.text for block in message.content if block.type == "text")


async def tools(s: Scenario) -> Any:
    """Ask, call the tools, give back every block as it came, thinking and signatures included."""
    declared = [
        {"name": name, "description": told, "input_schema": s.schema(name)}
        for name, (told, _) in scenario.TOOLS.items()
    ]
    messages = _user(scenario.QUESTION)
    asked = {"system": scenario.SYSTEM, "tools": declared, **({"thinking": THINKING} if s.thinks else {})}
    while True:
        message = await _message(s, messages=messages, **asked)
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            return "".join(block.text for block in message.content if block.type == "text")
        given = [block.model_dump(exclude_none=True, exclude={"parsed_output", "caller"}) for block in message.content]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": s.use(call.name, call.input)} for call in calls
        ]
        messages += [{"role": "assistant", "content": given}, {"role": "user", "content": results}]


async def runner(s: Scenario) -> Any:
    """Let the SDK's tool runner do it."""

    @beta_async_tool
    async def get_order(id: int) -> str:  # noqa: A002 - the tool's own word
        """Look up an order.

        Args:
            id: its number
        """
        return s.get_order(id)

    @beta_async_tool
    async def get_customer(name: str) -> str:
        """Look up a customer.

        Args:
            name: the customer's name
        """
        return s.get_customer(name)

    run = client(s).beta.messages.tool_runner(
        model=s.model,
        max_tokens=TOKENS,
        messages=_user(scenario.QUESTION),
        tools=[get_order, get_customer],
        stream=s.stream,
    )
    if not s.stream:
        last = await run.until_done()
        return last.content[-1].text
    async for stream in run:
        last = await stream.get_final_message()
    return last.content[-1].text


async def structured(s: Scenario) -> Any:
    """Ask for a typed answer."""
    asked: dict[str, Any] = {"model": s.model, "max_tokens": TOKENS, "messages": _user(scenario.DECISION)}
    messages = client(s).messages
    if not hasattr(messages, "parse"):
        messages = client(s).beta.messages
    if s.stream:
        async with messages.stream(**asked, output_format=Verdict) as stream:
            return (await stream.get_final_message()).parsed_output.model_dump()
    return (await messages.parse(**asked, output_format=Verdict)).parsed_output.model_dump()


async def _message(s: Scenario, **asked: Any) -> Any:
    messages = client(s).messages
    if not s.stream:
        return await messages.create(model=s.model, max_tokens=TOKENS, **asked)
    async with messages.stream(model=s.model, max_tokens=TOKENS, **asked) as stream:
        async for text in stream.text_stream:
            s.hear(text)
        return await stream.get_final_message()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, runner=runner, structured=structured)
