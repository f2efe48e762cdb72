"""LangChain's tools under airside: an agent's own pass the gate wherever they are called, hosted ones become tools.

Both are done once for the process and do nothing but while one of our runs is under way: every tool of LangChain ends
in `BaseTool.run` or `arun`, and every `create_agent` gets a middleware that offers the run's hosted tools.
"""

import asyncio
import base64
import contextlib
import functools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

import langchain.agents
import langchain.agents.factory
import pydantic_core
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.types import Command, interrupt
from pydantic import ValidationError

from airside.adapters.clients import ToolClient, ToolRefused
from airside.adapters.entries import in_thread
from airside.adapters.gate import EDIT_NOTE, FOR_THE_MODEL, Gate, Permit, again
from airside.core.errors import AirsideError, Code

INTERRUPTED: Final = "interrupted"
_KEPT: Final = "langgraph"
_NOT_PLAIN: Final = object()
_serializer = JsonPlusSerializer()


class RunEnds(ToolRefused, GraphBubbleUp):
    """A refusal that ends the run: no error handling of a graph may take it for a tool's error."""


class Governance:
    """What airside adds to one run: the gate, the hosted tools, and the loop in which both live."""

    def __init__(self, gate: Gate, hosted: Sequence[BaseTool]) -> None:
        self.gate = gate
        self.hosted = {tool.name: tool for tool in hosted}
        self._loop = asyncio.get_running_loop()

    def wait_for(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what some work in the loop comes to, from a thread that may block."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            raise AirsideError(
                Code.MISCONFIGURED, "a tool is called with `invoke` from async code, which would block: use `ainvoke`"
            )

        async def waited() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result()


governance: ContextVar[Governance | None] = ContextVar("airside_langchain_governance", default=None)


def hosted_tools(client: ToolClient, gate: Gate, listed: Sequence[Mapping[str, Any]]) -> list[BaseTool]:
    """Return the hosted tools of a run as LangChain's."""
    return [_hosted_tool(client, gate, tool) for tool in listed]


def _hosted_tool(client: ToolClient, gate: Gate, tool: Mapping[str, Any]) -> BaseTool:
    name = tool["name"]

    async def call(**arguments: Any) -> Any:
        try:
            return await client.call_with(name, arguments, gate.headers(name, arguments))
        except ToolRefused as refusal:
            raise _for_whom(refusal) from refusal

    def blocking(**arguments: Any) -> Any:
        governed = governance.get()
        assert governed is not None, "a hosted tool was called outside its run"
        return governed.wait_for(functools.partial(call, **arguments))

    return StructuredTool(
        name=name,
        description=tool.get("description") or name,
        args_schema=dict(tool["inputSchema"]),
        func=blocking,
        coroutine=call,
        handle_tool_error=True,
    )


class HostedTools(AgentMiddleware[Any, Any, Any]):
    """Offers a run's hosted tools to an agent of `create_agent`, and executes them."""

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Add the hosted tools to those that the model is shown."""
        return handler(_with_hosted(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Add the hosted tools to those that the model is shown."""
        return await handler(_with_hosted(request))

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Find the tool if it is a hosted one."""
        return handler(_found(request))

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Find the tool if it is a hosted one."""
        return await handler(_found(request))


def _with_hosted(request: Any) -> Any:
    governed = governance.get()
    if governed is None or not governed.hosted:
        return request
    own = {tool.name for tool in request.tools if isinstance(tool, BaseTool)}
    return request.override(tools=[*request.tools, *(t for t in governed.hosted.values() if t.name not in own)])


def _found(request: Any) -> Any:
    governed = governance.get()
    tool = governed.hosted.get(request.tool_call["name"]) if governed and request.tool is None else None
    return request.override(tool=tool) if tool else request


def install() -> None:
    """Have tools pass the gate, and agents be offered hosted tools."""
    owner: Any = BaseTool
    owner.run, owner.arun = _governed_run(BaseTool.run), _governed_arun(BaseTool.arun)
    create: Any = langchain.agents.create_agent

    @functools.wraps(create)
    def create_agent(*args: Any, middleware: Sequence[Any] = (), **named: Any) -> Any:
        return create(*args, middleware=[HostedTools(), *middleware], **named)

    for module in (langchain.agents, langchain.agents.factory):
        patched: Any = module
        patched.create_agent = create_agent


def _governed_arun(arun: Callable[..., Awaitable[Any]]) -> Any:
    @functools.wraps(arun)
    async def governed(self: BaseTool, tool_input: Any, *args: Any, **named: Any) -> Any:
        run = _governing(self, tool_input, named)
        if run is None:
            return await arun(self, tool_input, *args, **named)
        call_id = named.get("tool_call_id")
        return await _gated(run, self, tool_input, call_id, lambda given: arun(self, given, *args, **named))

    return governed


def _governed_run(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def governed(self: BaseTool, tool_input: Any, *args: Any, **named: Any) -> Any:
        run = _governing(self, tool_input, named)
        if run is None:
            return function(self, tool_input, *args, **named)
        call_id = named.get("tool_call_id")

        def aside(given: Any) -> Awaitable[Any]:
            return in_thread(function, self, given, *args, **named)

        return run.wait_for(functools.partial(_gated, run, self, tool_input, call_id, aside))

    return governed


def _governing(tool: BaseTool, tool_input: Any, named: Mapping[str, Any]) -> Governance | None:
    """Return what governs a call; None for hosted tools, and for arguments with which the tool would not run."""
    governed = governance.get()
    if governed is None or governed.hosted.get(tool.name) is tool:
        return None
    try:
        tool._to_args_and_kwargs(tool_input, named.get("tool_call_id"))
    except ValidationError:
        return None
    return governed


async def _gated(
    run: Governance, tool: BaseTool, given: Any, call_id: str | None, call: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Authorise, run, report; or give again what came of it before."""
    arguments = _arguments(tool, given)
    try:
        permit = await run.gate.authorize(tool.name, arguments, _schema(tool))
        if permit.recorded:
            return _again(tool, permit, call_id)
    except ToolRefused as refusal:
        return _refused(tool, call_id, refusal)
    if permit.changed:
        given = {**{name: given[name] for name in given.keys() - arguments.keys()}, **permit.arguments}
    try:
        output = await call(given)
    except GraphInterrupt as interrupted:
        values = [asked.value for asked in interrupted.args[0]] if interrupted.args else []
        await run.gate.returned(permit, {INTERRUPTED: values})
        raise
    except GraphBubbleUp:
        await run.gate.returned(permit, None)
        raise
    except Exception as error:
        told = await run.gate.raised(permit, error)
        if told is error:
            raise
        raise told from error
    plain = _plain(output, call_id)
    mistakable = isinstance(plain, dict) and bool(plain.keys() & {INTERRUPTED, _KEPT})  # for what is kept by us
    if plain is not _NOT_PLAIN and not mistakable:
        return _told(tool, await run.gate.returned(permit, plain), call_id)
    packed = _packed(output)
    kept = await run.gate.kept(permit, packed)
    return _annotated(output, permit) if kept == packed else _unpacked(tool, kept, permit, call_id)


def _refused(tool: BaseTool, call_id: str | None, refusal: ToolRefused) -> ToolMessage:
    """Return what the model is told of a refusal; raises it where there is no model to tell, or the run ends."""
    for_whom = _for_whom(refusal)
    if call_id is None or isinstance(for_whom, RunEnds):
        raise for_whom from refusal
    return ToolMessage(content=str(refusal), name=tool.name, tool_call_id=call_id, status="error")


def _for_whom(refusal: ToolRefused) -> Exception:
    told: Exception = ToolException(str(refusal))
    return told if refusal.code in FOR_THE_MODEL else RunEnds(refusal.code, refusal.message)


def _again(tool: BaseTool, permit: Permit, call_id: str | None) -> Any:
    """Return, or raise, what this call came to in an earlier attempt."""
    kept = permit.result if permit.error is None and isinstance(permit.result, dict) else {}
    if INTERRUPTED in kept:
        while True:  # the interrupts that have been answered return, the first other one raises
            interrupt(kept[INTERRUPTED][0] if kept[INTERRUPTED] else None)
    if _KEPT in kept:
        return _unpacked(tool, kept, permit, call_id)
    return _told(tool, again(permit), call_id)


def _plain(output: Any, call_id: str | None) -> Any:
    """Return a tool's output as the JSON value that says all of it; _NOT_PLAIN if none does.

    LangChain writes values as JSON into its messages; here they are values again, for policy to look into.
    """
    if call_id is None:
        return output if output is None or isinstance(output, str | bool | int | float | dict) else _NOT_PLAIN
    bare = isinstance(output, ToolMessage) and output == ToolMessage(
        output.content, name=output.name, tool_call_id=call_id, id=output.id
    )
    if not bare or not isinstance(output.content, str):
        return _NOT_PLAIN
    with contextlib.suppress(ValueError):
        value = json.loads(output.content)
        if isinstance(value, dict | list) and json.dumps(value, ensure_ascii=False) == output.content:
            return value
    return output.content


def _told(tool: BaseTool, value: Any, call_id: str | None) -> Any:
    if call_id is None:
        return value
    content = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return ToolMessage(content, name=tool.name, tool_call_id=call_id)


def _packed(output: Any) -> dict[str, Any]:
    """Return an output that is more than a value (commands, artifacts, blocks) so that it can be had again."""
    kind, data = _serializer.dumps_typed(output)
    said = output.content if isinstance(output, ToolMessage) else None
    return {_KEPT: [kind, base64.b64encode(data).decode()], "content": said}


def _unpacked(tool: BaseTool, kept: Mapping[str, Any], permit: Permit, call_id: str | None) -> Any:
    """Return a packed output again; of one that guards have changed there is what it said, as they left it."""
    kind, data = kept[_KEPT]
    try:
        output = _serializer.loads_typed((kind, base64.b64decode(data, validate=True)))
    except ValueError:
        output = None
    said = output.content if isinstance(output, ToolMessage) else None
    if output is None or said != kept.get("content"):
        return _told(tool, permit.told(kept.get("content")), call_id)
    return _annotated(output, permit)


def _annotated(output: Any, permit: Permit) -> Any:
    """Return an output that tells the model of a reviewer's edit, if there was one."""
    if not permit.edited:
        return output
    if isinstance(output, list):
        return [_annotated(part, permit) for part in output]
    if isinstance(output, Command) and isinstance(output.update, dict):
        messages = _annotated(list(output.update.get("messages", ())), permit)
        return replace(output, update={**output.update, "messages": messages})
    if isinstance(output, ToolMessage):
        note = f"{EDIT_NOTE} It was executed with {json.dumps(permit.arguments, ensure_ascii=False)}."
        said = output.content if isinstance(output.content, list) else [{"type": "text", "text": output.content}]
        return output.model_copy(update={"content": [{"type": "text", "text": note}, *said]})
    return output


def _arguments(tool: BaseTool, given: Any) -> dict[str, Any]:
    """Return what the model, or the agent's code, gave a tool, without what LangGraph adds to it."""
    if not isinstance(given, dict):
        return {next(iter(tool.args), "input"): given}
    kept = tool._filter_injected_args(given)
    plain: dict[str, Any] = pydantic_core.to_jsonable_python(kept, serialize_unknown=True, inf_nan_mode="strings")
    return plain


def _schema(tool: BaseTool) -> dict[str, Any] | None:
    declared: Any = tool.tool_call_schema
    found: dict[str, Any] = declared if isinstance(declared, dict) else declared.model_json_schema()
    return found
