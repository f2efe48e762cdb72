"""OpenAI's Responses: `POST /v1/responses`, of an organisation under zero data retention.

Such an organisation keeps no state at OpenAI, so a request must carry its whole conversation: `store` must be false,
`previous_response_id`, `conversation` and references to items are refused, and reasoning passes as encrypted content.
"""

from typing import Any

from tests.fake_providers.dialect import Request, Speaker, Stream, Whole, bearer
from tests.fake_providers.openai_chat import REASONING_MODELS, refusal
from tests.fake_providers.openai_responses_rules import check
from tests.fake_providers.openai_responses_stream import events
from tests.fake_providers.script import KEY, Message, Meter, seal


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    if bearer(request) != KEY:
        raise refusal(401, "Incorrect API key provided.", code="invalid_api_key")
    return complete(request, speaker)


def complete(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request whose key is right."""
    body = request.body
    check(body)
    message = speaker.say(body)
    response = response_of(body, message, speaker)
    if not body.get("stream"):
        return Whole(response)
    obfuscated = (body.get("stream_options") or {}).get("include_obfuscation", True)
    return Stream(events(response, obfuscated=obfuscated))


def response_of(body: dict[str, Any], message: Message, speaker: Speaker) -> dict[str, Any]:
    """Return the whole response."""
    usage = speaker.usage(usage_of(speaker.meter(body["input"], message, body.get("max_output_tokens"))))
    stop = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(message.get("stop", ""))
    number = speaker.calls
    return {
        "id": f"resp_{number:024x}",
        "object": "response",
        "created_at": 1_760_000_000 + number,
        "status": "incomplete" if stop else "completed",
        "background": False,
        "error": None,
        "incomplete_details": {"reason": stop} if stop else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": body["model"] + "-2026",
        "output": _output(body, message, number, "incomplete" if stop else "completed"),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": usage,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _output(body: dict[str, Any], message: Message, number: int, status: str) -> list[dict[str, Any]]:
    """Return the output items: reasoning (of models that reason), then the message, then calls."""
    items: list[dict[str, Any]] = []
    thinking = message.get("thinking")
    if thinking and body["model"].startswith(REASONING_MODELS):
        item: dict[str, Any] = {"id": f"rs_{number:024x}", "type": "reasoning", "summary": []}
        if (body.get("reasoning") or {}).get("summary"):
            item["summary"] = [{"type": "summary_text", "text": thinking}]
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            item["encrypted_content"] = seal(thinking)
        items.append(item)
    said: list[dict[str, Any]] = []
    if message.get("content"):
        said.append({"type": "output_text", "annotations": [], "logprobs": [], "text": message["content"]})
    if message.get("refusal"):
        said.append({"type": "refusal", "refusal": message["refusal"]})
    if said or not message.get("tool_calls"):
        item = {"id": f"msg_{number:024x}", "type": "message", "status": status, "role": "assistant", "content": said}
        items.append(item)
    for index, call in enumerate(message.get("tool_calls") or ()):
        items.append(
            {
                "id": f"fc_{number:022x}{index:02x}",
                "type": "function_call",
                "status": status,
                "arguments": call["function"]["arguments"],
                "call_id": call["id"],
                "name": call["function"]["name"],
            }
        )
    return items


def usage_of(meter: Meter) -> dict[str, Any]:
    """Return a meter in the shape of Responses."""
    return {
        "input_tokens": meter.input,
        "input_tokens_details": {"cached_tokens": meter.cached, "cache_write_tokens": meter.written},
        "output_tokens": meter.output,
        "output_tokens_details": {"reasoning_tokens": meter.thinking},
        "total_tokens": meter.input + meter.output,
    }
