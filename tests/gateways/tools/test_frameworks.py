"""Frameworks' own MCP clients against the tool gateway."""

import asyncio
from typing import Any

from pydantic_ai import Agent, ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, TextPart, ToolCallPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from tests.gateways.tools.tooling import TOKEN, Tooling


def answers(messages: list[ModelMessage]) -> list[Any]:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    return [part.content for part in parts if isinstance(part, ToolReturnPart | RetryPromptPart)]


def scripted(*calls: ToolCallPart) -> FunctionModel:
    """A model that makes all its calls at once, and then ends."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        offered = {tool.name for tool in info.function_tools}
        assert "hidden" not in offered
        assert "refund" in offered
        if len(messages) == 1:
            return ModelResponse(parts=list(calls))
        return ModelResponse(parts=[TextPart("done")])

    return FunctionModel(respond)


async def test_pydantic_ai_calls_tools_and_reads_denials(url: str, tooling: Tooling) -> None:
    async def deny_refunds(call: Call, forward: Forward) -> Outcome:
        if call.name == "refund":
            raise AirsideError(Code.POLICY_DENIED, "no refunds today")
        return await forward(call)

    tooling.gate = deny_refunds
    toolset = MCPToolset(url, headers={"authorization": f"Bearer {TOKEN}"})
    model = scripted(
        ToolCallPart("find_order", {"order_id": "A1"}),
        ToolCallPart("refund", {"order_id": "A1", "amount": 5, "reason": "late"}),
        ToolCallPart("raise_error", {"kind": "value"}),
    )
    result = await Agent(model, toolsets=[toolset], retries=2).run("help")
    assert result.output == "done"
    found, denied, failed = answers(result.all_messages())
    assert found == {"order_id": "A1", "day": "2026-11-22", "total": "12.50"}
    assert "policy_denied: no refunds today" in str(denied)
    assert "ValueError: no such order: 4711" in str(failed)


async def test_many_agents_at_once(url: str, tooling: Tooling) -> None:
    async def one(number: int) -> Any:
        toolset = MCPToolset(url, headers={"authorization": f"Bearer {TOKEN}"})
        model = scripted(ToolCallPart("echo", {"value": {"agent": number}}))
        return answers((await Agent(model, toolsets=[toolset]).run("help")).all_messages())

    assert await asyncio.gather(*[one(number) for number in range(8)]) == [[{"agent": n}] for n in range(8)]
