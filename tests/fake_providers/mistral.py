"""Mistral's chat completions at `/mistral/v1`: OpenAI's shape with rules of its own."""

import re
from typing import Any

from tests.fake_providers.dialect import Refusal, Request, Speaker, Stream, Whole, bearer, names, sse
from tests.fake_providers.openai_chat import chunks_of, completion
from tests.fake_providers.script import KEY

FIELDS = names(
    "model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice"
    " presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode safe_prompt reasoning_effort"
    " guardrails prompt_cache_key"
)
CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
MESSAGE_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}


def chat(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request. Usage comes in the last chunk of every stream, unasked."""
    if bearer(request) != KEY:
        raise Refusal(401, {"message": "Unauthorized", "request_id": "req_1"})
    body = request.body
    _check(body)
    message = speaker.say(body)
    for number, call in enumerate(message.get("tool_calls") or ()):
        call["id"] = f"m{speaker.calls % 10_000:04d}{number:04d}"
    whole = completion(body, message, speaker)
    if not body.get("stream"):
        return Whole(whole)
    *events, last = chunks_of(whole, include_usage=False)
    if "usage" in whole:
        last["usage"] = whole["usage"]
    return Stream([*[sse(event) for event in [*events, last]], sse("[DONE]")])


def _check(body: Any) -> None:
    if not isinstance(body, dict):
        raise _invalid("json_invalid", [], "JSON decode error")
    for name in ("model", "messages"):
        if not body.get(name):
            raise _invalid("missing", [name], "Field required")
    for name in body:
        if name not in FIELDS:
            raise _invalid("extra_forbidden", [name], "Extra inputs are not permitted")
    for index, message in enumerate(body["messages"]):
        role = message.get("role")
        if role not in MESSAGE_FIELDS:
            raise _invalid(
                "union_tag_invalid", ["messages", index], f"Input tag '{role}' does not match any of the tags"
            )
        for name in set(message) - MESSAGE_FIELDS[role]:
            raise _invalid("extra_forbidden", ["messages", index, role, name], "Extra inputs are not permitted")
        for call in message.get("tool_calls") or ():
            if not CALL_ID.fullmatch(call["id"]):
                raise _request_error(
                    f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9.",
                    code="3280",
                )
    _check_order(body["messages"])


def _check_order(messages: list[dict[str, Any]]) -> None:
    open_calls: set[str] = set()
    before = ""
    for message in messages:
        role = message["role"]
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise _request_error("Unexpected tool call id in tool results.")
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            raise _request_error("Not the same number of function calls and responses", code="3230")
        if role == "user" and before == "tool":
            raise _request_error("Unexpected role 'user' after role 'tool'", code="3230")
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
        before = role
    if before not in {"user", "tool"} and not messages[-1].get("prefix"):
        expected = "Expected last role User or Tool (or Assistant with prefix True) for serving"
        raise _request_error(f"{expected} but got {before}", code="3230")


def _invalid(kind: str, where: list[Any], message: str) -> Refusal:
    return Refusal(422, {"detail": [{"type": kind, "loc": ["body", *where], "msg": message, "input": None}]})


def _request_error(message: str, code: str = "3051") -> Refusal:
    kind = "invalid_request_message_order" if code == "3230" else "invalid_request_error"
    return Refusal(400, {"object": "error", "message": message, "type": kind, "param": None, "code": code})
