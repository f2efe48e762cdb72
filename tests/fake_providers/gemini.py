"""Gemini: `POST /v1beta/models/NAME:generateContent` and `:streamGenerateContent`, with `alt=sse` or without.

SDKs from 3.0 on ask at `/v1/models/NAME:...` instead."""

import json
from typing import Any

from tests.fake_providers.dialect import Request, Speaker, Stream, Whole, sse
from tests.fake_providers.gemini_rules import check, refusal
from tests.fake_providers.script import KEY, Message, Meter, pieces, seal

_STOPS = {"length": "MAX_TOKENS", "content_filter": "SAFETY", "refusal": "SAFETY"}


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request of the Gemini API."""
    key = request.headers.get("x-goog-api-key") or request.query.get("key")
    if not key:
        message = "Method doesn't allow unregistered callers (callers without established identity)."
        raise refusal(403, "PERMISSION_DENIED", message)
    if key != KEY:
        raise refusal(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
    model, _, method = request.path.rpartition("/")[2].partition(":")
    return generate(request, speaker, model, method)


def generate(request: Request, speaker: Speaker, model: str, method: str) -> Whole | Stream:
    """Answer one request whose caller is known."""
    if method == "countTokens":
        return Whole({"totalTokens": len(request.raw) // 4 + 1})
    if method not in {"generateContent", "streamGenerateContent"}:
        raise refusal(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta, or not for {method}.")
    check(request.body, model)
    body = request.body
    said = speaker.say(body)
    if method == "generateContent":
        return Whole(_response(body, said, speaker, model, parts_of(said, model, thinks(body)), final=True))
    chunks = _chunks(body, said, speaker, model)
    if request.query.get("alt") == "sse":
        return Stream([sse(chunk, eol="\r\n") for chunk in chunks])
    written = [json.dumps(chunk) for chunk in chunks]
    return Stream(
        [b"[" + written[0].encode(), *[b",\r\n" + one.encode() for one in written[1:]], b"]"], "application/json"
    )


def thinks(body: dict[str, Any]) -> bool:
    """Whether thoughts are asked for."""
    config = body.get("generationConfig") or body.get("generation_config") or {}
    thinking = config.get("thinkingConfig") or config.get("thinking_config") or {}
    return bool(thinking.get("includeThoughts") or thinking.get("include_thoughts"))


def parts_of(said: Message, model: str, thinks: bool) -> list[dict[str, Any]]:
    """Return the parts: thought, text, calls. Gemini 3 signs the first call of a step; `args` come whole."""
    parts: list[dict[str, Any]] = []
    if said.get("thinking") and thinks:
        parts.append({"text": said["thinking"], "thought": True})
    spoken = said.get("content") or said.get("refusal")
    if spoken:
        parts.append({"text": spoken})
    for index, call in enumerate(said.get("tool_calls") or ()):
        function = call["function"]
        part: dict[str, Any] = {"functionCall": {"name": function["name"], "args": json.loads(function["arguments"])}}
        if model.startswith("gemini-3"):
            part["functionCall"]["id"] = call["id"]
            if index == 0:
                part["thoughtSignature"] = seal(function["name"])
        parts.append(part)
    return parts


def _response(
    body: dict[str, Any], said: Message, speaker: Speaker, model: str, parts: list[dict[str, Any]], *, final: bool
) -> dict[str, Any]:
    config = body.get("generationConfig") or body.get("generation_config") or {}
    allowed = config.get("maxOutputTokens") or config.get("max_output_tokens")
    usage = speaker.usage(usage_of(speaker.meter(body["contents"], said, allowed)))
    if isinstance(usage, dict) and not final:
        usage = {**usage, "candidatesTokenCount": 0, "totalTokenCount": usage.get("promptTokenCount", 0)}
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    if final:
        candidate["finishReason"] = _STOPS.get(said.get("stop", ""), "STOP")
    return {
        "candidates": [{**candidate, "index": 0}],
        **({"usageMetadata": usage} if usage is not None else {}),
        "modelVersion": model,
        "responseId": f"gem{speaker.calls:08d}",
    }


def _chunks(body: dict[str, Any], said: Message, speaker: Speaker, model: str) -> list[dict[str, Any]]:
    """Return the responses of a stream: text in pieces, calls whole, the end and the true usage in the last."""
    cut: list[dict[str, Any]] = []
    for part in parts_of(said, model, thinks(body)):
        cut += [{**part, "text": piece} for piece in pieces(part["text"], 16)] if "text" in part else [part]
    *first, last = cut or [{"text": ""}]
    chunks = [_response(body, said, speaker, model, [part], final=False) for part in first]
    return [*chunks, _response(body, said, speaker, model, [last], final=True)]


def usage_of(meter: Meter) -> dict[str, Any]:
    """Return a meter in Gemini's shape: thoughts are counted beside the candidates."""
    usage = {
        "promptTokenCount": meter.input,
        "candidatesTokenCount": meter.output - meter.thinking,
        "totalTokenCount": meter.input + meter.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": meter.input}],
    }
    if meter.thinking:
        usage["thoughtsTokenCount"] = meter.thinking
    if meter.cached:
        usage["cachedContentTokenCount"] = meter.cached
    return usage
