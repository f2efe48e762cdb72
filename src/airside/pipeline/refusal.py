"""How refusals and failures stand in the journal: which state they get, and their sealed body.

A failure's own words may quote content (a provider's message, a reviewer's reason), so they are sealed like an answer;
what stands beside in the clear is the code and, for failures that airside words from names and numbers alone, the text.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from airside.core import canonical
from airside.core.call import Call, CallState
from airside.core.errors import MEANINGS, AirsideError, Code

_STATES: Final = {
    Code.POLICY_DENIED: CallState.DENIED,
    Code.APPROVAL_REQUIRED: CallState.DENIED,
    Code.APPROVAL_DENIED: CallState.DENIED,
    Code.APPROVAL_EXPIRED: CallState.DENIED,
    Code.GUARD_BLOCKED: CallState.DENIED,
    Code.UNKNOWN_TOOL: CallState.DENIED,
    Code.SECRET_DENIED: CallState.DENIED,
    Code.INVALID_ARGUMENTS: CallState.DENIED,
    Code.BUDGET_EXHAUSTED: CallState.BUDGET,
    Code.NO_PROGRESS: CallState.BUDGET,
    Code.RATE_LIMITED: CallState.RATE_LIMITED,
    Code.BREAKER_OPEN: CallState.BREAKER,
}

_DEFINITE: Final = frozenset(
    {
        Code.UPSTREAM_REJECTED,
        Code.TOOL_FAILED,
        Code.INVALID_ARGUMENTS,
        Code.INVALID_REQUEST,
        Code.UNKNOWN_TOOL,
        Code.UNKNOWN_MODEL,
        Code.LIMIT_EXCEEDED,
        Code.POLICY_DENIED,
        Code.GUARD_BLOCKED,
        Code.SECRET_DENIED,
    }
)
"""Failures by which the other side has answered: its effect is what it says, and asking again would say the same."""

_OWN_WORDS: Final = frozenset(
    {
        Code.POLICY_DENIED,
        Code.APPROVAL_REQUIRED,
        Code.APPROVAL_EXPIRED,
        Code.BUDGET_EXHAUSTED,
        Code.NO_PROGRESS,
        Code.RATE_LIMITED,
        Code.BREAKER_OPEN,
        Code.KILLED,
        Code.OUTCOME_UNKNOWN,
        Code.DIVERGED,
        Code.INTERNAL,
    }
)
"""Failures whose message is made of names, limits and ids only."""


_NOTES: Final = ("guards",)
"""Details that hold no content by what they are; they stand in the journal, and in the body as they are."""


class Refusal(AirsideError):
    """A step's no to a call that has not left. `call` is the call as that step saw it, with the decision it carried."""

    def __init__(
        self,
        call: Call,
        code: Code,
        message: str = "",
        *,
        advice: str = "",
        details: Mapping[str, object] = MappingProxyType({}),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message, advice=advice, details=details, retry_after_s=retry_after_s)
        self.call = call

    @staticmethod
    def of(call: Call, error: AirsideError) -> "Refusal":
        """Return what a limit or a breaker said no with, as the no to this call."""
        return Refusal(
            call,
            error.code,
            error.message,
            advice=error.advice,
            details=error.details,
            retry_after_s=error.retry_after_s,
        )


def state_of_refusal(code: Code) -> CallState:
    """Return how a call that did not leave is recorded; what a later attempt may try anew counts as cancelled."""
    return _STATES.get(code, CallState.CANCELLED)


def state_of_failure(call: Call, error: AirsideError) -> CallState:
    """Return how a call that left and failed is recorded.

    A side effect is only taken as not done if the other side has answered, or certainly was not reached by any try;
    else it is HELD: a person, or an idempotency key, must find out.
    """
    if error.code in _DEFINITE:
        return CallState.ERROR
    unreached = error.details.get("not_sent") is True and not call.maybe_sent
    if call.side_effect and not unreached:
        return CallState.HELD
    if error.code in {Code.RATE_LIMITED, Code.BREAKER_OPEN}:
        return _STATES[error.code]
    return CallState.TRANSIENT


def charged_nothing(error: AirsideError) -> bool:
    """Whether a failure certainly consumed nothing, so that its reservation is given back whole."""
    return any(error.details.get(key) is True for key in ("not_sent", "unbilled"))


def plain_message(error: AirsideError) -> str:
    """Return the text that may stand in the clear beside the sealed body."""
    return error.message if error.code in _OWN_WORDS else MEANINGS[error.code].title


def notes_of(error: AirsideError) -> dict[str, Any]:
    """Return what of a failure stands in the journal beside its code."""
    return {name: error.details[name] for name in _NOTES if name in error.details}


def body_of(error: AirsideError) -> bytes:
    """Return the failure as the canonical JSON that is sealed as the call's answer."""
    details = {key: value for key, value in error.details.items() if isinstance(value, str | int | bool | None)}
    details |= notes_of(error)
    return canonical.encode(
        {
            "raised": True,
            "code": error.code.value,
            "message": error.message.encode(errors="replace").decode(),
            "advice": error.advice.encode(errors="replace").decode(),
            "details": details,
        }
    )


def error_of(body: bytes, code: str) -> AirsideError | None:
    """Return the failure that was recorded with `code` and this body, or None if the body is an answer."""
    if not code:
        return None
    try:
        value: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not (isinstance(value, dict) and value.get("raised") is True and value.get("code") == code):
        return None
    return AirsideError(Code(code), value["message"], advice=value["advice"], details=value["details"])
