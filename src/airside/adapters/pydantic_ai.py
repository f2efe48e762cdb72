"""PydanticAI: a stock `pydantic_ai.Agent`, unmodified. Only this run of it is governed; the object is left as it was.

Its model is reached through the model gateway, in the chat completions format, under the name the agent gives. Hosted
tools are added to its own; its own function tools are gated: authorised, run here, and reported. Calls that its tools
want approved (`requires_approval`, `ApprovalRequired`) are approved towards PydanticAI and asked about at the gate.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from openai import AsyncOpenAI
from pydantic import TypeAdapter
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    DeferredToolRequests,
    DeferredToolResults,
    FunctionToolset,
    ModelRetry,
    RunContext,
    Tool,
    ToolFailed,
    ToolReturn,
)
from pydantic_ai.capabilities import AbstractCapability, WrapToolExecuteHandler
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import MULTI_MODAL_CONTENT_TYPES, MultiModalContent, ToolCallPart
from pydantic_ai.models import Model, parse_model_id
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from airside.adapters.clients import Gateways, ToolClient, ToolRefused, rehearse
from airside.adapters.entries import called
from airside.adapters.gate import FOR_THE_MODEL, Gate, Permit, again, in_order
from airside.adapters.patience import http_client
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code

_OFFLINE: Final = frozenset({"test", "function"})  # the systems of pydantic-ai's models that call nobody


async def prepare(context: Context) -> None:
    """Import what a first run would import late."""
    await rehearse(context)
    async with http_client(context, delays_s=()) as http:
        with contextlib.suppress(ModelAPIError):  # it cannot succeed: nobody listens
            await Agent(_model(context, http, context.model, tries=1)).run("rehearsal")


async def run(entry: Any, task: Any, context: Context) -> Any:
    """Run the agent on a task (text, or any JSON value, which is then shown as JSON) and return its output.

    An entry that is a function is called with the task and returns the agent to run. Raises AirsideError
    `misconfigured` for anything else.
    """
    if not isinstance(entry, Agent) and callable(entry):
        entry = await called(entry, task, {})
    if not isinstance(entry, Agent):
        raise AirsideError(
            Code.MISCONFIGURED, f"the agent's entry is a {type(entry).__name__}, not a pydantic_ai.Agent"
        )
    prompt = task if isinstance(task, str) else json.dumps(task, ensure_ascii=False)
    async with Gateways(context) as gateways, http_client(context) as http:
        hosted = await _hosted(ToolClient(gateways)) if context.tools else []
        gate = LocalToolGate(Gate(gateways), frozenset(tool.name for tool in hosted))
        result = await entry.run(
            prompt,
            model=_governed(entry, context, http),
            toolsets=[FunctionToolset(hosted)] if hosted else None,
            capabilities=[gate],
        )
    return result.output


class LocalToolGate(AbstractCapability[Any]):
    """Asks the tool gateway before each of the agent's own tools runs, and reports what came of it."""

    def __init__(self, gate: Gate, hosted: frozenset[str]) -> None:
        self._gate = gate
        self._hosted = hosted

    async def handle_deferred_tool_calls(
        self,
        ctx: RunContext[Any],  # noqa: ARG002 - the hook's signature
        *,
        requests: DeferredToolRequests,
    ) -> DeferredToolResults | None:
        """Approve the calls that the agent's tools want approved, and have a person asked when they reach the gate."""
        for call in requests.approvals:
            self._gate.mark(call.tool_name, call.args_as_dict())
        return DeferredToolResults(approvals={call.tool_call_id: True for call in requests.approvals})

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        """Authorise, run, report; or answer from the journal what this call was answered before."""
        if tool_def.name in self._hosted:
            return await handler(args)
        try:
            permit = await self._gate.authorize(tool_def.name, call.args_as_dict(), tool_def.parameters_json_schema)
        except ToolRefused as refusal:
            raise _for_whom(refusal) from refusal
        if permit.recorded:
            return _recorded(permit)
        if permit.changed:
            args = _validated(ctx, tool_def.name, permit.arguments)
        try:
            result = await handler(args)
        except ApprovalRequired:
            await self._gate.returned(permit, _DEFERRED)
            raise
        except Exception as error:
            told = await self._gate.raised(permit, error)
            if type(error).__name__ in _RETRIES | _FAILURES:
                raise
            raise told from error
        if not _rich(result):
            return await self._gate.returned(permit, result)
        kept = {_RICH: _rich_values.dump_python(result, mode="json")}
        kept = await self._gate.kept(permit, kept)
        return permit.told(_rich_values.validate_python(in_order(kept)[_RICH]))


def _rich(result: Any) -> bool:
    """Whether a result is more than a JSON value: media, or what is for the model apart from the value."""
    parts = result if isinstance(result, list) else [result]
    return any(isinstance(part, (ToolReturn, *MULTI_MODAL_CONTENT_TYPES)) for part in parts)


_RETRIES: Final = frozenset({"ModelRetry", "ToolRetryError"})
_FAILURES: Final = frozenset({"ToolFailed", "ToolFailedError"})
_DEFERRED: Final = {"pydantic_ai_asks": True}
_RICH: Final = "pydantic_ai_returned"
_rich_values: Final[TypeAdapter[Any]] = TypeAdapter(ToolReturn | MultiModalContent | list[MultiModalContent | Any])


def _recorded(permit: Permit) -> Any:
    """Return, or raise, what this call came to the first time."""
    if permit.error is not None:
        kind, _, message = str(permit.error["message"]).partition(": ")
        if kind in _RETRIES:
            raise ModelRetry(message)
        if kind in _FAILURES:
            raise ToolFailed(message)
    elif permit.result == _DEFERRED:
        raise ApprovalRequired
    elif isinstance(permit.result, dict) and _RICH in permit.result:
        return permit.told(_rich_values.validate_python(in_order(permit.result)[_RICH]))
    return again(permit)


def _for_whom(refusal: ToolRefused) -> Exception:
    return ToolFailed(str(refusal)) if refusal.code in FOR_THE_MODEL else refusal


def _validated(ctx: RunContext[Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return edited arguments as the tool's function wants them."""
    tool = (ctx.tool_manager.tools or {}).get(name) if ctx.tool_manager else None
    if tool is None:
        return arguments
    validated: dict[str, Any] = tool.args_validator.validate_python(arguments)
    return validated


async def _hosted(client: ToolClient) -> list[Tool[Any]]:
    return [_hosted_tool(client, tool) for tool in await client.list()]


def _hosted_tool(client: ToolClient, tool: Mapping[str, Any]) -> Tool[Any]:
    name = tool["name"]

    async def call(**arguments: Any) -> Any:
        try:
            return await client.call(name, **arguments)
        except ToolRefused as refusal:
            raise _for_whom(refusal) from refusal

    return Tool.from_schema(call, name, tool.get("description"), dict(tool["inputSchema"]))


def _governed(agent: Agent[Any, Any], context: Context, http: httpx2.AsyncClient) -> Model:
    """Return the agent's model as reached through the gateway; models that call nobody stay as they are."""
    own = agent.model
    if isinstance(own, Model):
        if own.system in _OFFLINE:
            return own
        return _model(context, http, context.model or own.model_name, own.settings)
    name = context.model or (parse_model_id(own)[1] if own else "")
    if name == "test" or not name:
        raise AirsideError(Code.MISCONFIGURED, "the agent names no model; give it one, or set `model:` in airside.yaml")
    return _model(context, http, name)


def _model(
    context: Context, http: httpx2.AsyncClient, name: str, settings: ModelSettings | None = None, tries: int = 3
) -> OpenAIChatModel:
    url = f"{context.gateway_url}/v1"
    client = AsyncOpenAI(base_url=url, api_key=context.token or "none", http_client=http, max_retries=tries - 1)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client), settings=settings)
