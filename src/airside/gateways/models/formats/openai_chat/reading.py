"""Chat Completions into the message model: requests of clients, answers of upstreams."""

from collections.abc import Mapping
from typing import Any

import msgspec

from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.openai_chat import usage
from airside.gateways.models.formats.port import BrokenAnswer, ModelRequest
from airside.gateways.models.message import (
    Answer,
    Block,
    Media,
    Message,
    OutputFormat,
    Prompt,
    Reasoning,
    Refused,
    Sampling,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)

NAME = "openai_chat"
_NOT_HELD = ("logprobs", "top_logprobs", "logit_bias", "prediction", "functions", "function_call")
_STOPS: Mapping[str, Stop] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def prompt(request: ModelRequest) -> Prompt:
    """Return the request in the message model; raises `invalid_request` for what it cannot hold."""
    try:
        return _prompt(request, request.value)
    except (LookupError, TypeError, AttributeError, msgspec.ValidationError):
        raise AirsideError(Code.INVALID_REQUEST, "a message or a tool of the request is not well formed") from None


def _prompt(request: ModelRequest, value: Mapping[str, Any]) -> Prompt:
    for name in _NOT_HELD:
        if value.get(name) not in (None, False):
            raise _unheld(name)
    stop = value.get("stop")
    return Prompt(
        messages=tuple(_message(index, message) for index, message in enumerate(value["messages"])),
        tools=tuple(_tool(tool) for tool in value.get("tools") or ()),
        tool_choice=_tool_choice(value),
        output=_output(value.get("response_format")),
        sampling=Sampling(
            temperature=value.get("temperature"),
            top_p=value.get("top_p"),
            seed=value.get("seed"),
            frequency_penalty=value.get("frequency_penalty"),
            presence_penalty=value.get("presence_penalty"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        ),
        reasoning=Reasoning(effort=value.get("reasoning_effort") or ""),
        output_tokens_max=request.output_tokens_max,
        user=value.get("user") or value.get("safety_identifier") or "",
    )


def answer(body: bytes) -> Answer:
    """Return an upstream's whole answer in the message model; raises BrokenAnswer."""
    try:
        value = msgspec.json.decode(body)
        choice = value["choices"][0]
        message = choice["message"]
        blocks = tuple(_spoken(message))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        raise BrokenAnswer("the answer is not a chat completion") from None
    return Answer(
        blocks=blocks,
        stop=_STOPS.get(str(choice.get("finish_reason")), "end"),
        usage=usage.read(value.get("usage")),
        model=str(value.get("model") or ""),
        answer_id=str(value.get("id") or ""),
        fingerprint=str(value.get("system_fingerprint") or ""),
    )


def _message(index: int, message: Mapping[str, Any]) -> Message:
    role = message["role"]
    if role == "tool":
        content = tuple(block for block in _content(message.get("content")) if isinstance(block, Text | Media))
        return Message("user", (ToolResult(str(message.get("tool_call_id") or ""), content),), index)
    if role == "function":
        raise _unheld("a message of the role function")
    if role == "assistant":
        return Message("assistant", tuple(_spoken(message)), index)
    return Message("user" if role == "user" else "system", tuple(_content(message.get("content"))), index)


def _spoken(message: Mapping[str, Any]) -> list[Block]:
    blocks = _thoughts(message)
    blocks += _content(message.get("content"))
    if message.get("refusal"):
        blocks.append(Refused(message["refusal"]))
    for call in message.get("tool_calls") or ():
        if call.get("type", "function") != "function":
            raise _unheld(f"a tool call of the type {call.get('type')}")
        function = call["function"]
        google = (call.get("extra_content") or {}).get("google") or {}
        blocks.append(
            ToolCall(
                str(call.get("id") or ""),
                function["name"],
                function.get("arguments") or "{}",
                google.get("thought_signature") or "",
            )
        )
    return blocks


def _thoughts(message: Mapping[str, Any]) -> list[Block]:
    """Return the reasoning of an assistant message: as we wrote it, else as servers of open models spell it."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        return [msgspec.convert({"type": "thinking", **detail}, Thinking) for detail in details]
    text = message.get("reasoning_content") or message.get("reasoning")
    return [Thinking(text, NAME)] if isinstance(text, str) and text else []


def _content(content: Any) -> list[Block]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_part(part) for part in content]


def _part(part: Mapping[str, Any]) -> Block:
    match part.get("type"):
        case "text":
            return Text(part["text"], cache="cache_control" in part)
        case "refusal":
            return Refused(part["refusal"])
        case "image_url":
            image = part["image_url"]
            return _media("image", image["url"], detail=image.get("detail") or "")
        case "file" if "file_data" in part["file"]:
            return _media("document", part["file"]["file_data"], title=part["file"].get("filename") or "")
    raise _unheld(f"a content part of the type {part.get('type')}")


def _media(kind: Any, url: str, *, title: str = "", detail: str = "") -> Media:
    if not url.startswith("data:"):
        return Media(kind, url=url, title=title, detail=detail)
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        raise AirsideError(Code.INVALID_REQUEST, "a data URL must be base64")
    return Media(kind, head[5:-7], data, title=title, detail=detail)


def _tool(tool: Mapping[str, Any]) -> ToolSpec:
    if tool["type"] != "function":
        raise _unheld(f"a tool of the type {tool['type']}")
    function = tool["function"]
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return ToolSpec(function["name"], function.get("description") or "", schema, function.get("strict"))


def _tool_choice(value: Mapping[str, Any]) -> ToolChoice | None:
    choice, parallel = value.get("tool_choice"), value.get("parallel_tool_calls")
    if isinstance(choice, str):
        if choice not in {"auto", "none", "required"}:
            raise AirsideError(Code.INVALID_REQUEST, "tool_choice must be auto, none, required or a function")
        return ToolChoice(choice, parallel=parallel)  # type: ignore[arg-type]  # one of the three, as just checked
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            raise _unheld(f"a tool choice of the type {choice.get('type')}")
        return ToolChoice("tool", choice["function"]["name"], parallel)
    return ToolChoice(parallel=parallel) if parallel is not None else None


def _output(wanted: Any) -> OutputFormat:
    match (wanted or {}).get("type", "text"):
        case "text":
            return OutputFormat()
        case "json_object":
            return OutputFormat("json_object")
        case "json_schema":
            schema = wanted["json_schema"]
            return OutputFormat("json_schema", schema.get("name") or "answer", schema["schema"], schema.get("strict"))
    raise _unheld(f"a response format of the type {wanted['type']}")


def _unheld(what: str) -> AirsideError:
    return AirsideError(
        Code.INVALID_REQUEST,
        f"{what} can only be sent to an upstream that speaks Chat Completions itself",
        advice="Leave it out, or route this model to a provider that speaks the client's format.",
    )
