"""OpenAI Agents SDK: a stock `agents.Agent`, unmodified, or a function that makes one from the task.

Models named by text are reached through the model gateway, in the API that the SDK is set to (Responses, unless told
otherwise). Hosted tools are added to those of every agent that takes part; the agents' own function tools, those of
their MCP servers included, are gated. `needs_approval` interrupts the SDK's run as ever: each call it stops at is
approved in the SDK's `RunState` and a person is asked about it when it reaches the gate, so that the approval stands in
airside's queue, waits without a process, and covers exactly the call that is then made.
"""

import contextlib
import functools
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

import agents
import httpx2
from agents import Agent, AgentBase, FunctionTool, RunConfig, RunContextWrapper, Runner, Tool
from agents.run import CallModelData, ModelInputData
from openai import AsyncOpenAI, OpenAIError

from airside.adapters.clients import Gateways, ToolClient, ToolRefused, rehearse
from airside.adapters.entries import called
from airside.adapters.gate import Gate, told_of
from airside.adapters.http_hooks import actor_headers
from airside.adapters.patience import http_client
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code

_UNGATED: Final = (agents.ComputerTool, agents.LocalShellTool, agents.ShellTool, agents.ApplyPatchTool)
"""Tools that act from inside the agent's process in ways that no gate of ours sees."""


class Governance:
    """What airside adds to one run: the gate, the hosted tools, and which calls the SDK wants approved."""

    def __init__(self, gate: Gate, hosted: tuple[FunctionTool, ...]) -> None:
        self.gate = gate
        self.hosted = hosted
        self.approved: set[str] = set()


_governance: ContextVar[Governance | None] = ContextVar("airside_governance", default=None)
_actor: ContextVar[str] = ContextVar("airside_actor", default="")


async def prepare(context: Context) -> None:
    """Import what a first run would import late."""
    await rehearse(context)
    async with http_client(context, delays_s=()) as http:
        with contextlib.suppress(OpenAIError), _quiet():  # it cannot succeed: nobody listens
            await Runner.run(Agent("rehearsal"), "rehearsal", run_config=_configured(context, http, tries=1))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the SDK from logging what is meant to fail."""
    logger = logging.getLogger("openai.agents")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


async def run(entry: Any, task: Any, context: Context) -> Any:
    """Run the agent on a task and return its final output.

    The task is text, a list of the SDK's input items, or any other JSON value, which is then shown as JSON. An entry
    that is a function is called with the task: it returns the agent to run, the result of a run of its own, or the
    output. Raises AirsideError `misconfigured` for anything else.
    """
    if not isinstance(entry, Agent) and not callable(entry):
        raise AirsideError(
            Code.MISCONFIGURED, f"the agent's entry is a {type(entry).__name__}, not an agents.Agent or a function"
        )
    async with Gateways(context) as gateways, http_client(context) as http:
        hosted = await _hosted(ToolClient(gateways)) if context.tools else ()
        governance = Governance(Gate(gateways, _actor.get), hosted)
        before = _governance.set(governance)
        try:
            return await _ran(entry, task, _configured(context, http), governance)
        finally:
            _governance.reset(before)


async def _ran(entry: Any, task: Any, config: RunConfig, governance: Governance) -> Any:
    made = entry
    if not isinstance(entry, Agent):
        made = await called(entry, task, {})
    if isinstance(made, Agent):
        made = await Runner.run(made, _input(task), run_config=config)
    if not isinstance(made, agents.RunResult | agents.RunResultStreaming):
        return made
    while interruptions := made.interruptions:
        state = made.to_state()
        for interruption in interruptions:
            governance.approved.add(_call_id(interruption.raw_item))
            state.approve(interruption)
        made = await Runner.run(made.last_agent, state, run_config=config)
    return made.final_output


def _input(task: Any) -> Any:
    if isinstance(task, str):
        return task
    if (
        isinstance(task, list)
        and task
        and all(isinstance(item, dict) and {"role", "type"} & set(item) for item in task)
    ):
        return task
    return json.dumps(task, ensure_ascii=False)


def _call_id(item: Any) -> str:
    return str(item.get("call_id") if isinstance(item, dict) else getattr(item, "call_id", ""))


def _configured(context: Context, http: httpx2.AsyncClient, tries: int = 3) -> RunConfig:
    """Return the configuration of a run through the gateway. Names of models are left to airside, prefixes and all."""
    http.event_hooks = {"request": [_name_actor]}
    url = f"{context.gateway_url}/v1"
    client = AsyncOpenAI(base_url=url, api_key=context.token or "none", http_client=http, max_retries=tries - 1)
    return RunConfig(
        model=context.model or None,
        model_provider=agents.MultiProvider(openai_client=client, unknown_prefix_mode="model_id"),
        tracing_disabled=True,
        call_model_input_filter=_remember_actor,
    )


def _remember_actor(data: CallModelData[Any]) -> ModelInputData:
    """Note which agent is about to ask, so that handoffs can be told from the calls."""
    _actor.set(data.agent.name)
    return data.model_data


async def _name_actor(request: httpx2.Request) -> None:
    request.headers.update(actor_headers(_actor.get()))


def _govern_tools() -> None:
    """Have every agent's tools pass the gate while one of our runs is under way; elsewhere nothing changes.

    The SDK asks an agent for its tools before each turn, so this reaches agents behind handoffs, agents that are tools,
    and tools of MCP servers alike. Tools are kept as objects, because the SDK tells them apart by identity.
    """
    get_all_tools = AgentBase.get_all_tools

    @functools.wraps(get_all_tools)
    async def governed(self: AgentBase[Any], run_context: RunContextWrapper[Any]) -> list[Tool]:
        tools: list[Tool] = await get_all_tools(self, run_context)
        governance = _governance.get()
        if governance is None:
            return tools
        for tool in tools:
            if isinstance(tool, _UNGATED) and not _of_provider(tool):
                problem = f"agent {self.name!r} has a {type(tool).__name__}, which acts where airside cannot see it"
                raise AirsideError(Code.MISCONFIGURED, problem)
            if isinstance(tool, FunctionTool | agents.CustomTool) and not hasattr(tool.on_invoke_tool, "airside"):
                tool.on_invoke_tool = _gated(tool, tool.on_invoke_tool)
        own = {tool.name for tool in tools}
        return [*tools, *(tool for tool in governance.hosted if tool.name not in own)]

    owner: Any = AgentBase
    owner.get_all_tools = governed


def _of_provider(tool: Any) -> bool:
    """Whether a shell runs at the provider, where the model gateway decides about it."""
    environment = getattr(tool, "environment", None) or {}
    return isinstance(tool, agents.ShellTool) and environment.get("type", "local") != "local"


def _gated(tool: FunctionTool | agents.CustomTool, invoke: Callable[..., Any]) -> Any:
    """Return what a tool does, behind the gate of the run that is under way."""

    @functools.wraps(invoke)
    async def gated(ctx: Any, asked: str) -> Any:
        governance = _governance.get()
        if governance is None:
            return await invoke(ctx, asked)
        arguments = {"input": asked} if isinstance(tool, agents.CustomTool) else _object(asked)
        if arguments is None:
            return f"{Code.INVALID_ARGUMENTS}: the arguments are not a JSON object"
        review = getattr(ctx, "tool_call_id", "") in governance.approved
        _actor.set(getattr(getattr(ctx, "agent", None), "name", _actor.get()))
        try:
            if getattr(tool, "_is_agent_tool", False):  # what that agent does is gated call by call
                if review:
                    await governance.gate.consent(tool.name, arguments)
                return await invoke(ctx, asked)
            return await governance.gate.run(
                tool.name,
                arguments,
                getattr(tool, "params_json_schema", None),
                functools.partial(_invoke, tool, invoke, ctx, asked, arguments),
                review=review,
            )
        except ToolRefused as refusal:
            return told_of(refusal)

    marked: Any = gated
    marked.airside = True
    bind = getattr(invoke, "__agents_bind_function_tool__", None)
    if bind is not None:  # copies of the tool are bound to their own settings
        marked.__agents_bind_function_tool__ = lambda copy: _gated(copy, bind(copy))
    return marked


async def _invoke(
    tool: Any, invoke: Callable[..., Any], ctx: Any, asked: str, arguments: Any, permitted: Mapping[str, Any]
) -> Any:
    """Run the tool itself: with what the model wrote, unless a reviewer wrote something else."""
    if permitted is not arguments:
        asked = permitted["input"] if isinstance(tool, agents.CustomTool) else json.dumps(permitted)
    return await invoke(ctx, asked)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


async def _hosted(client: ToolClient) -> tuple[FunctionTool, ...]:
    return tuple(_hosted_tool(client, tool) for tool in await client.list())


def _hosted_tool(client: ToolClient, tool: Mapping[str, Any]) -> FunctionTool:
    name = tool["name"]

    async def call(_: Any, asked: str) -> Any:
        arguments = _object(asked)
        if arguments is None:
            return f"{Code.INVALID_ARGUMENTS}: the arguments are not a JSON object"
        try:
            result = await client.call(name, **arguments)
        except ToolRefused as refusal:
            return told_of(refusal)
        return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)

    marked: Any = call
    marked.airside = True  # it passes the gateway's own pipeline
    return FunctionTool(
        name=name,
        description=tool.get("description") or "",
        params_json_schema=dict(tool["inputSchema"]),
        on_invoke_tool=marked,
        strict_json_schema=False,
    )


_govern_tools()
