"""Amazon Bedrock: `Converse`, `ConverseStream`, `InvokeModel` and its stream for Anthropic's models.

Requests are signed (see `sigv4`) or carry a Bedrock API key as a bearer token. Streams are AWS event streams.
"""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from tests.fake_providers import anthropic, anthropic_rules
from tests.fake_providers.dialect import Refusal, Request, Speaker, Stream, Whole, bearer, names
from tests.fake_providers.eventstream import frame
from tests.fake_providers.script import KEY, Message, Meter, pieces, seal, sealed
from tests.fake_providers.sigv4 import verify

EVENT_STREAM = "application/vnd.amazon.eventstream"
MODEL = re.compile(r"((us|eu|apac|global)\.)?[a-z0-9-]+\.[a-zA-Z0-9.:-]+|arn:aws:bedrock:.*")
FIELDS = names(
    "messages system inferenceConfig toolConfig guardrailConfig additionalModelRequestFields promptVariables"
    " additionalModelResponseFieldPaths requestMetadata performanceConfig serviceTier outputConfig"
)
INFERENCE = {"maxTokens", "temperature", "topP", "stopSequences"}
BLOCKS = {
    "text",
    "image",
    "document",
    "video",
    "toolUse",
    "toolResult",
    "guardContent",
    "reasoningContent",
    "cachePoint",
}
_STOPS = {"length": "max_tokens", "content_filter": "content_filtered", "refusal": "content_filtered"}
VERSIONS = ("bedrock-2023-05-31", "2026-10-21")  # SDKs from 2.0 on send the second


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    if bearer(request) != KEY:
        verify(request, "bedrock")
    _, _, quoted, operation = request.path.split("/")
    model = unquote(quoted)
    if not MODEL.fullmatch(model):
        raise invalid("The provided model identifier is invalid.")
    if not isinstance(request.body, dict):
        raise Refusal(400, {"message": "Unexpected token"}, x_amzn_errortype="SerializationException")
    if operation in {"invoke", "invoke-with-response-stream"}:
        return _invoke(request, speaker, model, streaming=operation != "invoke")
    if operation not in {"converse", "converse-stream"}:
        raise Refusal(404, {"message": "UnknownOperationException"}, x_amzn_errortype="UnknownOperationException")
    _check(request.body)
    said = speaker.say(request.body)
    whole = _converse(request.body, said, speaker)
    if operation == "converse":
        return Whole(whole)
    return Stream([frame({**value, "p": "abcdef"}, event=name) for name, value in _events(whole)], EVENT_STREAM)


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that is wrong."""
    return Refusal(400, {"message": message}, x_amzn_errortype="ValidationException")


def _invoke(request: Request, speaker: Speaker, model: str, *, streaming: bool) -> Whole | Stream:
    body = request.body
    try:
        if body.get("anthropic_version") not in VERSIONS:
            raise anthropic_rules.invalid(f"anthropic_version: must be one of {VERSIONS}")
        anthropic_rules.check(body, bedrock=True)
        if body["anthropic_version"] != VERSIONS[0]:
            anthropic_rules.check_newer(body)
    except Refusal as refusal:
        raise invalid(refusal.body["error"]["message"]) from None
    message = anthropic.message_of(body, speaker, model)
    if not streaming:
        return Whole(message)
    chunks = [base64.b64encode(json.dumps(event).encode()).decode() for event in anthropic.events_of(message)]
    return Stream([frame({"bytes": chunk, "p": "abcdef"}, event="chunk") for chunk in chunks], EVENT_STREAM)


def _check(body: dict[str, Any]) -> None:
    for name in body:
        if name not in FIELDS:
            raise invalid(f"The request has an unknown member: {name}")
    config = body.get("inferenceConfig") or {}
    if set(config) - INFERENCE:
        raise invalid(f"inferenceConfig has an unknown member: {min(set(config) - INFERENCE)}")
    if "maxTokens" in config and (type(config["maxTokens"]) is not int or config["maxTokens"] < 1):
        raise invalid("1 validation error detected: 'inferenceConfig.maxTokens' must be at least 1")
    for tool in (body.get("toolConfig") or {}).get("tools") or ():
        spec = tool.get("toolSpec")
        if "cachePoint" in tool:
            continue
        if not isinstance(spec, dict) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(spec.get("name", ""))):
            raise invalid("'toolConfig.tools.toolSpec.name' failed to satisfy constraint: [a-zA-Z0-9_-]+")
        if not isinstance((spec.get("inputSchema") or {}).get("json"), dict):
            raise invalid("'toolConfig.tools.toolSpec.inputSchema.json' is required")
    _check_messages(body.get("messages"), has_tools=bool(body.get("toolConfig")))


def _check_messages(messages: Any, *, has_tools: bool) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("A conversation must start with a user message.")
    asked: list[str] = []
    before = "assistant"
    for index, message in enumerate(messages):
        role, blocks = message.get("role"), message.get("content")
        if role not in {"user", "assistant"} or (index == 0 and role != "user"):
            raise invalid("A conversation must start with a user message. Try again with one.")
        if role == before:
            raise invalid(f"roles must alternate between user and assistant: messages.{index}")
        if not isinstance(blocks, list) or not blocks:
            raise invalid(f"The content field in the Message object at messages.{index} is empty.")
        for block in blocks:
            _check_block(block, index)
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        if sorted(results) != sorted(asked):
            raise invalid(f"Expected toolResult blocks at messages.{index}.content for the following Ids: {asked}")
        asked = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        if (asked or results) and not has_tools:
            raise invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        before = role
    if asked:
        raise invalid(f"Expected toolResult blocks for the following Ids: {asked}")


def _check_block(block: dict[str, Any], index: int) -> None:
    if len(block) != 1 or set(block) - BLOCKS:
        raise invalid(f"messages.{index}.content: a ContentBlock has exactly one known member, not {sorted(block)}")
    if "text" in block and not block["text"].strip():
        raise invalid(f"The text field in the ContentBlock object at messages.{index}.content is blank.")
    if "toolUse" in block and not isinstance(block["toolUse"].get("input"), dict):
        raise invalid(f"The value at messages.{index}.content.toolUse.input must be an object")
    if "toolResult" in block:
        for part in block["toolResult"]["content"]:
            if set(part) - {"text", "json", "image", "document", "video"}:
                raise invalid(f"messages.{index}.content.toolResult.content has an unknown member")
    thought = (block.get("reasoningContent") or {}).get("reasoningText")
    if thought is not None and not sealed(thought.get("signature"), thought.get("text")):
        raise invalid(f"messages.{index}: Invalid signature in reasoningContent")


def _converse(body: dict[str, Any], said: Message, speaker: Speaker) -> dict[str, Any]:
    allowed = (body.get("inferenceConfig") or {}).get("maxTokens")
    usage = speaker.usage(usage_of(speaker.meter(body["messages"], said, allowed)))
    blocks: list[dict[str, Any]] = []
    if said.get("thinking") and "thinking" in (body.get("additionalModelRequestFields") or {}):
        thought = {"text": said["thinking"], "signature": seal(said["thinking"])}
        blocks.append({"reasoningContent": {"reasoningText": thought}})
    if said.get("content") or said.get("refusal"):
        blocks.append({"text": said.get("content") or said["refusal"]})
    for call in said.get("tool_calls") or ():
        use = {"toolUseId": f"tooluse_{call['id']}", "name": call["function"]["name"]}
        blocks.append({"toolUse": use | {"input": json.loads(call["function"]["arguments"])}})
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": _STOPS.get(said.get("stop", ""), "tool_use" if said.get("tool_calls") else "end_turn"),
        **({"usage": usage} if usage is not None else {}),
        "metrics": {"latencyMs": 42},
    }


def usage_of(meter: Meter) -> dict[str, Any]:
    """Return a meter in Bedrock's shape, where input counts only what the cache has not."""
    return {
        "inputTokens": meter.input - meter.cached - meter.written,
        "outputTokens": meter.output,
        "totalTokens": meter.input + meter.output,
        "cacheReadInputTokens": meter.cached,
        "cacheWriteInputTokens": meter.written,
    }


def _events(whole: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a ConverseStream; text blocks have no start, and usage comes after the end."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(whole["output"]["message"]["content"]):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            events.append(("contentBlockStart", {"start": start, **at}))
            deltas: list[dict[str, Any]] = [
                {"toolUse": {"input": piece}} for piece in pieces(json.dumps(use["input"]), 5)
            ]
        elif "reasoningContent" in block:
            thought = block["reasoningContent"]["reasoningText"]
            deltas = [{"reasoningContent": {"text": piece}} for piece in pieces(thought["text"], 8)]
            deltas.append({"reasoningContent": {"signature": thought["signature"]}})
        else:
            deltas = [{"text": piece} for piece in pieces(block["text"], 8)]
        events += [("contentBlockDelta", {"delta": delta, **at}) for delta in deltas]
        events.append(("contentBlockStop", at))
    events.append(("messageStop", {"stopReason": whole["stopReason"]}))
    metadata = {name: whole[name] for name in ("usage", "metrics") if name in whole}
    return [*events, ("metadata", metadata)]
