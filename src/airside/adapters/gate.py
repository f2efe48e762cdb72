"""The gate in front of an agent's own tools: each call is authorised before it runs here, and reported after.

What the framework hands on to the model is always the value as the journal keeps it, so that a replay, which has
nothing else, says the same byte for byte.
"""

import contextlib
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import pydantic_core
from msgspec import Struct

from airside.adapters.clients import Gateways, ToolRefused
from airside.adapters.http_hooks import actor_headers, hooks
from airside.core import canonical
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

_UNFIT: Final = frozenset({Code.INVALID_REQUEST, Code.LIMIT_EXCEEDED})
REVIEW_HEADER: Final = "x-airside-review"
MESSAGE_CHARS_MAX: Final = 1_990  # of class and message; the gateway keeps no more
EDIT_NOTE: Final = "A reviewer changed the arguments of this call before it ran."


class Permit(Struct, frozen=True):
    """The answer of authorize: run the tool with `arguments`, or `result` or `error` is what it came to before.

    The arguments are other than those asked about if a reviewer has `edited` them, or values of placeholders were
    `restored` in them.
    """

    decision: str
    call_id: str
    arguments: dict[str, Any] = {}
    edited: bool = False
    restored: bool = False
    result: Any = None
    error: dict[str, Any] | None = None

    @property
    def recorded(self) -> bool:
        """Whether the tool has run already, in this attempt's past."""
        return self.decision == "recorded"

    @property
    def changed(self) -> bool:
        """Whether the tool is to be run with other arguments than those asked about."""
        return self.edited or self.restored

    def told(self, result: Any) -> Any:
        """Return the result as the agent is told it: with a reviewer's edit, if there was one."""
        if not self.edited:
            return result
        return {"result": result, "note": EDIT_NOTE, "edited_arguments": self.arguments}


class ToolRaised(Exception):
    """A tool failed, with an exception that cannot be made again from the journal; `kind` is its class."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class Gate:
    """Authorises and reports the calls of one run's own tools.

    `actor` names the agent that is acting, where a framework has several in one run.
    """

    def __init__(self, gateways: Gateways, actor: Callable[[], str] = str) -> None:
        self._gateways = gateways
        self._actor = actor
        self._marked: Counter[tuple[str, str]] = Counter()

    def mark(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Have a person asked about the next such call, whatever policy says: the agent's framework wants it."""
        self._marked[_key(tool, arguments)] += 1

    def headers(self, tool: str, arguments: Mapping[str, Any], *, review: bool = False) -> dict[str, str]:
        """Return what airside is told of a call beside the call: who acts, and whether a person is to see it."""
        key = _key(tool, arguments)
        if self._marked[key]:
            self._marked[key] -= 1
            review = True
        return actor_headers(self._actor()) | ({REVIEW_HEADER: "framework"} if review else {})

    async def authorize(
        self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any] | None = None, *, review: bool = False
    ) -> Permit:
        """Return what may be done about a call; raises ToolRefused. While a person decides it does not return."""
        body = {"tool": tool, "arguments": arguments} | ({"schema": schema} if schema is not None else {})
        headers = self.headers(tool, arguments, review=review)
        answer = await self._gateways.post("/v1/tools/authorize", body, ToolRefused, headers)
        _tell_clock(answer)
        return msgspec.convert(answer, Permit)

    async def returned(self, permit: Permit, result: Any) -> Any:
        """Report what a tool returned, and return it as the agent is to be told: as JSON, with its keys in order.

        Raises ToolRaised if it cannot be kept: too large, or no text; ToolRefused if guards block it.
        """
        return permit.told(in_order(await self.kept(permit, result)))

    async def kept(self, permit: Permit, result: Any) -> Any:
        """Report what a tool returned, and return it as it is kept: as JSON, as guards have left it."""
        value = pydantic_core.to_jsonable_python(result, serialize_unknown=True, inf_nan_mode="strings")
        try:
            answer = await self._report(permit, {"result": value})
        except ToolRefused as refusal:
            if refusal.code not in _UNFIT:
                raise
            unfit = ToolRaised("ToolRaised", f"the tool ran, but its result cannot be kept: {refusal.message}")
            raise await self.raised(permit, unfit) from refusal
        return answer.get("result", value)

    async def raised(self, permit: Permit, error: BaseException) -> BaseException:
        """Report what a tool raised, and return what is to be raised: the same, as far as the journal keeps it."""
        kind, message = type(error).__name__, str(error)
        kept = message[: max(MESSAGE_CHARS_MAX - len(kind), 0)]
        answer = await self._report(permit, {"error": {"type": kind, "message": kept}})
        later = rebuilt(kind, answer.get("error", {}).get("message", kept))
        return error if repr(later) == repr(error) else later

    async def run(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        function: Callable[[Mapping[str, Any]], Awaitable[Any]],
        *,
        review: bool = False,
    ) -> Any:
        """Authorise, run, report; or give again what came of it before. Returns what the agent is to be told.

        Raises ToolRefused, what `function` raises, and the like of what it raised in an earlier attempt.
        """
        permit = await self.authorize(tool, arguments, schema, review=review)
        if permit.recorded:
            return again(permit)
        try:
            result = await function(permit.arguments if permit.changed else arguments)
        except Exception as error:
            told = await self.raised(permit, error)
            if told is error:
                raise
            raise told from error
        return await self.returned(permit, result)

    async def consent(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Have a person agree to something that is itself no effect, and return the arguments as they left them.

        Raises ToolRefused if they do not agree.
        """
        permit = await self.authorize(tool, arguments, review=True)
        if not permit.recorded:
            await self._report(permit, {"result": {"agreed": True}})
        elif permit.error:
            again(permit)
        return permit.arguments

    async def _report(self, permit: Permit, what: dict[str, Any]) -> dict[str, Any]:
        body = {"call_id": permit.call_id, **what}
        if permit.edited:
            body["arguments"] = permit.arguments
        answer: dict[str, Any] = await self._gateways.post("/v1/tools/report", body, ToolRefused)
        _tell_clock(answer)
        return answer


def again(permit: Permit) -> Any:
    """Return what a recorded call came to; raises the like of what the tool raised, or ToolRefused."""
    if permit.error is None:
        return permit.told(in_order(permit.result))
    if permit.error["code"] != Code.TOOL_FAILED:
        raise ToolRefused(permit.error["code"], permit.error["message"])
    kind, _, message = str(permit.error["message"]).partition(": ")
    raise rebuilt(kind, message)


def rebuilt(kind: str, message: str) -> Exception:
    """Return an exception of the class of that name, so that frameworks treat it and word it as they did the first."""
    ahead: deque[type[Exception]] = deque([Exception])
    while ahead:
        found = ahead.popleft()  # of two classes of a name, the one nearer to Python's own
        if found.__name__ == kind:
            for argument in (message, message[1:-1]):  # KeyError puts what it is given in quotes
                with contextlib.suppress(Exception):  # classes with ways of their own
                    made = found.__new__(found)
                    made.args = (argument,) if argument else ()
                    if str(made) == message:
                        return made
        ahead += found.__subclasses__()
    return ToolRaised(kind, message)


def in_order(value: Any) -> Any:
    """Return a JSON value as the journal gives it back: objects with their keys sorted."""
    return json.loads(json.dumps(value, sort_keys=True))


def told_of(refusal: ToolRefused) -> str:
    """Return what the model is told of a refusal that concerns one call; raises any other, which ends the run."""
    if refusal.code not in FOR_THE_MODEL:
        raise refusal
    return str(refusal)


def _key(tool: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
    try:
        return tool, canonical.encode(dict(arguments)).decode()
    except AirsideError:
        return tool, ""  # the gateway says what is wrong with them


def _tell_clock(answer: Mapping[str, Any]) -> None:
    if hooks.saw and answer.get("at_us"):
        hooks.saw(int(answer["at_us"]))
