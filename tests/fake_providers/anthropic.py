"""Anthropic's Messages: `POST /v1/messages` and `/v1/messages/count_tokens`.

Two versions of the API are in use. SDKs from 2.0 on send `anthropic-version: 2026-10-21`, which refuses `temperature`,
`top_p`, `top_k` and documents in assistant messages, and they send the key as a bearer token instead of `x-api-key`.
"""

import json
from typing import Any

from tests.fake_providers.anthropic_rules import check, check_newer, refusal
from tests.fake_providers.dialect import Request, Speaker, Stream, Whole, bearer, sse
from tests.fake_providers.script import KEY, Message, Meter, pieces, seal

VERSIONS = ("2023-06-01", "2026-10-21")
_STOPS = {"length": "max_tokens", "refusal": "refusal", "content_filter": "refusal"}


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    headers = {"request-id": f"req_{speaker.calls}"}
    if KEY not in {request.headers.get("x-api-key"), bearer(request)}:  # SDKs before 2.0 use the first
        raise refusal(401, "authentication_error", "invalid x-api-key")
    if not request.headers.get("anthropic-version"):
        raise refusal(400, "invalid_request_error", "anthropic-version: header is required")
    version = request.headers["anthropic-version"]
    if version not in VERSIONS:
        raise refusal(400, "invalid_request_error", f'anthropic-version: "{version}" is not a valid version')
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise refusal(400, "invalid_request_error", "content-type: must be application/json")
    counting = request.path.endswith("/count_tokens")
    check(request.body, counting=counting)
    if version != VERSIONS[0]:
        check_newer(request.body)
    if counting:
        return Whole({"input_tokens": len(request.raw) // 4 + 1}, headers)
    message = message_of(request.body, speaker)
    if request.body.get("stream"):
        return Stream([sse(event, event["type"]) for event in events_of(message)], headers=headers)
    return Whole(message, headers)


def message_of(body: dict[str, Any], speaker: Speaker, model: str = "") -> dict[str, Any]:
    """Return the whole message."""
    said = speaker.say(body)
    asked = [body.get("system"), body["messages"], body.get("tools")]
    usage = speaker.usage(usage_of(speaker.meter(asked, said, body["max_tokens"])))
    natural = "tool_use" if said.get("tool_calls") else "end_turn"
    return {
        "id": f"msg_{speaker.calls:024d}",
        "type": "message",
        "role": "assistant",
        "model": model or body["model"],
        "content": content_of(said, thinks=thinks(body)),
        "stop_reason": _STOPS.get(said.get("stop", ""), natural),
        "stop_sequence": None,
        **({"usage": usage} if usage is not None else {}),
    }


def thinks(body: dict[str, Any]) -> bool:
    """Whether the request asks for thinking."""
    return (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}


def content_of(said: Message, *, thinks: bool) -> list[dict[str, Any]]:
    """Return the content blocks: thinking, text, tool use. Thinking in the form "redacted:..." comes sealed."""
    blocks: list[dict[str, Any]] = []
    thinking = said.get("thinking")
    if thinking and thinks and thinking.startswith("redacted:"):
        blocks.append({"type": "redacted_thinking", "data": seal(thinking)})
    elif thinking and thinks:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": seal(thinking)})
    spoken = said.get("content") or said.get("refusal")
    if spoken:
        blocks.append({"type": "text", "text": spoken})
    for call in said.get("tool_calls") or ():
        function = call["function"]
        block = {"type": "tool_use", "id": tool_use_id(call["id"]), "name": function["name"]}
        blocks.append(block | {"input": json.loads(function["arguments"])})
    return blocks


def tool_use_id(call_id: str) -> str:
    """Return a scripted call's id as Anthropic would have made it."""
    return call_id if call_id.startswith("toolu_") else f"toolu_{call_id}"


def usage_of(meter: Meter) -> dict[str, Any]:
    """Return a meter in Anthropic's shape, where input counts only what the cache has not."""
    return {
        "input_tokens": meter.input - meter.cached - meter.written,
        "cache_creation_input_tokens": meter.written,
        "cache_read_input_tokens": meter.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": meter.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": meter.output,
        "output_tokens_details": {"thinking_tokens": meter.thinking},
        "service_tier": "standard",
    }


def events_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a stream: usage of the input in the first, of the output in the last but one."""
    usage = message.get("usage")
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    final: dict[str, Any] = {"type": "message_delta"}
    final["delta"] = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    if isinstance(usage, dict):
        details = {"output_tokens_details", "service_tier", "cache_creation"}
        begun["usage"] = {name: value for name, value in usage.items() if name != "output_tokens_details"}
        begun["usage"]["output_tokens"] = min(1, usage.get("output_tokens", 1))
        final["usage"] = {name: value for name, value in usage.items() if name not in details}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(message["content"]):
        empty, deltas = _cut(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        if index == 0:
            events.append({"type": "ping"})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    return [*events, final, {"type": "message_stop"}]


def _cut(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as a stream begins it, and the deltas that fill it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"], 8)]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], 8)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    if block["type"] == "tool_use":
        written = json.dumps(block["input"])
        cut = ["", *(pieces(written, 5) if block["input"] else ())]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in cut]
    return block, []
