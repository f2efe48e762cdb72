"""The tool gateway: makes calls out of requests, sends them through the pipeline, and executes what comes out of it."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.core.ids import new_id
from airside.core.ports import Forward
from airside.core.tool import Tool
from airside.gateways.http import Caller
from airside.gateways.tools import frames
from airside.gateways.tools.answer import pack
from airside.gateways.tools.catalogue import Listed, ToolCatalogue
from airside.gateways.tools.declare import NAME
from airside.gateways.tools.fit import Unlisted
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.pins import Pins

LOCAL_UPSTREAM = "local"
HOSTED_UPSTREAM = "hosted"
BUILT_IN_UPSTREAM = "airside"
UNKNOWN_TOOL_TIMEOUT_S = 30.0
NAME_CHARS_MAX = 64


class ToolGateway:
    """Calls of tools, from whichever face they come.

    `pipeline` puts the steps around a terminal; `Fit` belongs between `Replay` and `Permit`, and `tool_of` and
    `rebuild` of this module are what `Permit` and `Approve` ask.
    """

    def __init__(
        self,
        pipeline: Callable[[Forward], Forward],
        catalogue: ToolCatalogue,
        hosted: HostedTools | None,
        pins: Pins | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._pins = pins
        self._hosted = hosted
        self._forward = pipeline(self._execute)

    async def call(self, caller: Caller, name: str, arguments: Any) -> Outcome:
        """Let an agent call a hosted tool and return the outcome, whose body `answer.unpack` reads.

        Raises AirsideError for whatever the pipeline refuses and whatever the tool raises.
        """
        return await self._forward(_call(caller, name, arguments, self._catalogue.hosted(name)))

    async def authorize(
        self, caller: Caller, name: str, arguments: Any, schema: Mapping[str, object] | None
    ) -> Outcome:
        """Decide on a call of a tool inside the agent's process; the outcome is pending, or comes from the journal."""
        return await self._forward(_call(caller, name, arguments, self._catalogue.local(name, schema)))

    async def _execute(self, call: Call) -> Outcome:
        """The terminal: what the pipeline lets through is executed, unless its result is there already."""
        if call.ready is not None:
            return call.ready
        edited_arguments = call.parts[0] if call.edited else None
        if call.local:
            return Outcome(
                state=CallState.OK,
                body=b"",
                upstream=LOCAL_UPSTREAM,
                call_id=call.call_id,
                pending=True,
                edited=call.edited,
                arguments=call.parts[0],
            )
        listed = call.payload if isinstance(call.payload, Listed) else None
        if listed is not None and listed.execute is not None:
            if self._pins is not None:
                await self._pins.check(call.who, listed)
            body = pack(await listed.execute(call), edited_arguments)
            upstream = listed.tool.source or BUILT_IN_UPSTREAM
            return Outcome(state=CallState.OK, body=body, upstream=upstream, call_id=call.call_id)
        if self._hosted is None:
            raise AirsideError(Code.MISCONFIGURED, "this process has no tool host")
        answer = await self._hosted.execute(call)
        if isinstance(answer, frames.Raised):
            raise _raised(call, answer)
        return Outcome(
            state=CallState.OK,
            body=pack(answer.body, edited_arguments),
            upstream=HOSTED_UPSTREAM,
            call_id=call.call_id,
        )


def tool_of(call: Call) -> Tool | None:
    """Return the manifest of the tool a call names; None for unknown tools and model calls."""
    return call.payload.tool if isinstance(call.payload, Listed) else None


def rebuild(call: Call, arguments: bytes) -> Call:
    """Return a call with a reviewer's arguments (canonical JSON); raises `invalid_arguments` if they do not fit."""
    value = canonical.parse(arguments, bytes_max=max(len(arguments), 1))
    assert isinstance(call.payload, Listed), "only tools that exist are ever approved"
    call.payload.schema.check(value)
    return replace(call, arguments=value, parts=(canonical.encode(value),))


def _call(caller: Caller, name: str, arguments: Any, listed: Listed | None) -> Call:
    tool = listed.tool if listed else None
    return Call(
        call_id=new_id("call"),
        kind=CallKind.TOOL,
        name=name if NAME.fullmatch(name) else repr(name)[:NAME_CHARS_MAX],  # no tool, but it is journaled
        token=caller.token,
        run_header=caller.run,
        parts=(canonical.encode(arguments),),
        effect=tool.effect if tool else Effect.EXECUTE,
        idempotent=tool.idempotent if tool else False,
        timeout_s=tool.timeout_s if tool else UNKNOWN_TOOL_TIMEOUT_S,
        arguments=arguments,
        local=tool.local if tool else False,
        payload=listed or Unlisted(),
        wishes=caller.wishes,
        peer=caller.peer,
    )


def _raised(call: Call, answer: frames.Raised) -> AirsideError:
    if answer.transient:
        return TransientError(Code.UPSTREAM_FAILED, answer.message)
    if answer.code == Code.SECRET_REFUSED:
        return CredentialRefused(answer.message)
    if answer.code == Code.CANCELLED:
        return AirsideError(Code.OUTCOME_UNKNOWN, f"{call.name} was cancelled while it ran")
    told = " (a reviewer had changed the arguments of this call)" if call.edited else ""
    return AirsideError(Code(answer.code), answer.message + told)
