"""PydanticAI: a stock `pydantic_ai.Agent`, unmodified. Only this run of it is governed; the object is left as it was.

Its model is reached through the model gateway, in the chat completions format, under the name the agent gives. Hosted
tools are added to its own; its own function tools are gated: authorised, run here, and reported.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx2
import pydantic_core
from openai import AsyncOpenAI
from pydantic_ai import Agent, FunctionToolset, ModelRetry, RunContext, Tool, ToolFailed
from pydantic_ai.capabilities import AbstractCapability, WrapToolExecuteHandler
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import Model, parse_model_id
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from airside.adapters.clients import Gateways, ToolClient, ToolRefused, rehearse
from airside.adapters.http_hooks import hooks
from airside.adapters.patience import http_client
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code

FOR_THE_MODEL: Final = frozenset(
    {
        Code.POLICY_DENIED,
        Code.APPROVAL_DENIED,
        Code.APPROVAL_EXPIRED,
        Code.UNKNOWN_TOOL,
        Code.INVALID_ARGUMENTS,
        Code.GUARD_BLOCKED,
        Code.TOOL_FAILED,
    }
)
"""Refusals that concern one call: the model is told and may do something else. All others end the run."""

_OFFLINE: Final = frozenset({"test", "function"})  # the systems of pydantic-ai's models that call nobody


async def prepare(context: Context) -> None:
    """Import what a first run would import late."""
    await rehearse(context)
    async with http_client(context, delays_s=()) as http:
        with contextlib.suppress(ModelAPIError):  # it cannot succeed: nobody listens
            await Agent(_model(context, http, context.model, tries=1)).run("rehearsal")


async def run(entry: Any, task: Any, context: Context) -> Any:
    """Run the agent on a task (text, or any JSON value, which is then shown as JSON) and return its output."""
    if not isinstance(entry, Agent):
        raise AirsideError(
            Code.MISCONFIGURED, f"the agent's entry is a {type(entry).__name__}, not a pydantic_ai.Agent"
        )
    prompt = task if isinstance(task, str) else json.dumps(task, ensure_ascii=False)
    async with Gateways(context) as gateways, http_client(context) as http:
        hosted = await _hosted(ToolClient(gateways)) if context.tools else []
        gate = LocalToolGate(gateways, frozenset(tool.name for tool in hosted))
        result = await entry.run(
            prompt,
            model=_governed(entry, context, http),
            toolsets=[FunctionToolset(hosted)] if hosted else None,
            capabilities=[gate],
        )
    return result.output


class LocalToolGate(AbstractCapability[Any]):
    """Asks the tool gateway before each of the agent's own tools runs, and reports what came of it."""

    def __init__(self, gateways: Gateways, hosted: frozenset[str]) -> None:
        self._gateways = gateways
        self._hosted = hosted

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
        asked = call.args_as_dict()
        permit = await self._authorize(tool_def, asked)
        _tell_clock(permit)
        if permit["decision"] == "recorded":
            return _recorded(permit)
        if permit.get("edited"):
            args = _validated(ctx, tool_def.name, permit["arguments"])
        return await self._run(permit, args, handler)

    async def _authorize(self, tool_def: ToolDefinition, arguments: Mapping[str, Any]) -> dict[str, Any]:
        body = {"tool": tool_def.name, "arguments": arguments, "schema": tool_def.parameters_json_schema}
        try:
            permit: dict[str, Any] = await self._gateways.post("/v1/tools/authorize", body, ToolRefused)
        except ToolRefused as refusal:
            raise _for_whom(refusal) from refusal
        return permit

    async def _run(self, permit: dict[str, Any], args: dict[str, Any], handler: WrapToolExecuteHandler) -> Any:
        report: dict[str, Any] = {"call_id": permit["call_id"]}
        if permit.get("edited"):
            report["arguments"] = permit["arguments"]
        try:
            result = await handler(args)
            report["result"] = pydantic_core.to_jsonable_python(result)
        except Exception as error:
            report["error"] = {"type": type(error).__name__, "message": str(error)}
            await self._report(report)
            raise
        await self._report(report)
        if permit.get("edited"):
            return {"result": report["result"], "note": _NOTE, "edited_arguments": permit["arguments"]}
        return result

    async def _report(self, report: dict[str, Any]) -> None:
        _tell_clock(await self._gateways.post("/v1/tools/report", report, ToolRefused))


_NOTE: Final = "A reviewer changed the arguments of this call before it ran."


def _tell_clock(answer: Mapping[str, Any]) -> None:
    if hooks.saw and answer.get("at_us"):
        hooks.saw(int(answer["at_us"]))


def _recorded(permit: Mapping[str, Any]) -> Any:
    """Return, or raise, what this call came to the first time."""
    error = permit.get("error")
    if error is None:
        if permit.get("edited"):
            return {"result": permit["result"], "note": _NOTE, "edited_arguments": permit["arguments"]}
        return permit["result"]
    kind, _, message = str(error["message"]).partition(": ")
    if kind in {"ModelRetry", "ToolRetryError"}:
        raise ModelRetry(message)
    if kind in {"ToolFailed", "ToolFailedError"}:
        raise ToolFailed(message)
    raise ToolRefused(error["code"], error["message"])


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
