"""Does it make sense: the call names a tool that exists for this agent, and its arguments fit the tool's schema.

A pipeline step of the tool gateway. It stands between replay and permit, so that policy and reviewers only ever see
calls that could be executed, and what does not fit is journaled as a refusal and replayed as one.
"""

from collections.abc import Callable

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.gateways.tools.catalogue import Listed, offered
from airside.pipeline.refusal import Refusal


class Fit:
    """Lets only tool calls pass that could be executed; other kinds of calls are not its business.

    `also` may refuse a call that fits, by raising AirsideError.
    """

    def __init__(self, also: Callable[[Call], object] = lambda _: None) -> None:
        self._also = also

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on; raises `unknown_tool` or `invalid_arguments`."""
        if isinstance(call.payload, Unlisted):
            raise Refusal(call, Code.UNKNOWN_TOOL, f"there is no tool {call.name!r}")
        if isinstance(call.payload, Listed):
            if not call.local and not offered(call.name, call.who.tools):
                raise Refusal(call, Code.UNKNOWN_TOOL, f"agent {call.who.agent} is not offered a tool {call.name!r}")
            if call.local and call.who.only is not None and not offered(call.name, call.who.only):
                raise Refusal(call, Code.UNKNOWN_TOOL, f"this token may not use {call.name!r}")
            try:
                call.payload.schema.check(call.arguments)
                self._also(call)
            except AirsideError as error:
                raise Refusal(call, error.code, error.message, details=error.details) from None
        return await forward(call)


class Unlisted:
    """The payload of a call to a tool that does not exist."""
