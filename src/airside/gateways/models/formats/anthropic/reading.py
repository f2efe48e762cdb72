"""Messages into the message model: requests of clients, answers of upstreams."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats import foreign
from airside.gateways.models.formats.anthropic import usage
from airside.gateways.models.formats.anthropic.request import insist_complete
from airside.gateways.models.formats.port import BrokenAnswer, ModelRequest
from airside.gateways.models.message import (
    NOWHERE,
    Answer,
    Block,
    Media,
    Message,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)

NAME = "anthropic"
_NOT_HELD = ("context_management",)
_TOOL_FIELDS = frozenset(
    {"type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"}
)
_STOPS: Mapping[str, Stop] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}
_CHOICES: Mapping[str, Any] = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}
_KINDS: Mapping[str, Any] = {"image": "image", "document": "document"}


def prompt(request: ModelRequest) -> Prompt:
    """Return the request in the message model; raises `invalid_request` for what it cannot hold."""
    try:
        return _prompt(request, request.value)
    except (LookupError, TypeError, AttributeError, msgspec.ValidationError):
        raise AirsideError(Code.INVALID_REQUEST, "a message or a tool of the request is not well formed") from None


def _prompt(request: ModelRequest, value: Mapping[str, Any]) -> Prompt:
    insist_complete(request)
    for name in _NOT_HELD:
        if value.get(name) is not None:
            raise _unheld(name)
    messages = [_message(index, message) for index, message in enumerate(value["messages"])]
    if value.get("system"):
        messages.insert(0, Message("system", tuple(_content(value["system"])), NOWHERE))
    config = value.get("output_config") or {}
    return Prompt(
        messages=tuple(messages),
        tools=tuple(_tool(tool) for tool in value.get("tools") or ()),
        tool_choice=_tool_choice(value.get("tool_choice")),
        output=_output(config.get("format") or value.get("output_format")),
        sampling=Sampling(
            temperature=value.get("temperature"),
            top_p=value.get("top_p"),
            top_k=value.get("top_k"),
            stop=tuple(value.get("stop_sequences") or ()),
        ),
        reasoning=_reasoning(value.get("thinking") or {}, config.get("effort") or ""),
        output_tokens_max=request.output_tokens_max,
        user=(value.get("metadata") or {}).get("user_id") or "",
    )


def answer(body: bytes) -> Answer:
    """Return an upstream's whole answer in the message model; raises BrokenAnswer."""
    try:
        value = msgspec.json.decode(body)
        blocks = tuple(_spoken(value["content"], _raw_inputs(body)))
        stop = str(value.get("stop_reason"))
        return Answer(
            blocks=blocks,
            stop=_STOPS.get(stop, "end"),
            usage=usage.read(value.get("usage")),
            model=str(value.get("model") or ""),
            answer_id=str(value.get("id") or ""),
            stop_sequence=str(value.get("stop_sequence") or ""),
        )
    except (msgspec.MsgspecError, RecursionError, ValueError, LookupError, TypeError, AttributeError, AirsideError):
        raise BrokenAnswer("the answer is not a message") from None


class _Inputs(msgspec.Struct):
    content: list[dict[str, msgspec.Raw]]


def _raw_inputs(body: bytes) -> dict[int, str]:
    """Return the inputs of tool uses as they were written, by the place of their block."""
    content = msgspec.json.decode(body, type=_Inputs).content
    return {index: bytes(block["input"]).decode() for index, block in enumerate(content) if "input" in block}


def _spoken(content: Any, inputs: Mapping[int, str]) -> Iterable[Block]:
    signatures: dict[str, str] = {}
    for index, block in enumerate(content):
        if block["type"] == "tool_use":
            name = block["id"]
            yield ToolCall(name, block["name"], inputs[index], signatures.get(name, ""))
        else:
            yield from _block(block, signatures)


def _message(index: int, message: Mapping[str, Any]) -> Message:
    return Message(message["role"], tuple(_content(message["content"])), index)


def _content(content: Any) -> Iterable[Block]:
    signatures: dict[str, str] = {}
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        yield from _block(block, signatures)


def _block(block: Mapping[str, Any], signatures: dict[str, str]) -> Iterable[Block]:
    """Yield what a block says: nothing for one that only carries another format's signature of a tool call."""
    match block["type"]:
        case "text":
            if block.get("citations"):
                raise _unheld("a text block with citations")
            yield Text(block["text"], cache=bool(block.get("cache_control")))
        case "image" | "document":
            yield _media(block)
        case "thinking":
            yield foreign.opened(block.get("signature") or "", block["thinking"]) or Thinking(
                block["thinking"], NAME, signature=block.get("signature") or ""
            )
        case "redacted_thinking":
            call = foreign.signed_call(block["data"])
            if call is not None:
                signatures[call[0]] = call[1]
            else:
                yield foreign.opened(block["data"], "") or Thinking("", NAME, sealed=block["data"])
        case "tool_use":
            arguments = msgspec.json.encode(block["input"]).decode()
            yield ToolCall(block["id"], block["name"], arguments, signatures.get(block["id"], ""))
        case "tool_result":
            yield _result(block)
        case other:
            raise _unheld(f"a block of the type {str(other)[:64]}")


def _result(block: Mapping[str, Any]) -> ToolResult:
    content = [inner for inner in _content(block.get("content") or "") if isinstance(inner, Text | Media)]
    if len(content) == 1 and content[0] == Text(""):
        content = []
    return ToolResult(block["tool_use_id"], tuple(content), is_error=bool(block.get("is_error")))


def _media(block: Mapping[str, Any]) -> Media:
    kind, source = _KINDS[block["type"]], block["source"]
    if block.get("context") or (block.get("citations") or {}).get("enabled"):
        raise _unheld("a document with context or citations")
    media = Media(kind, title=block.get("title") or "")
    match source["type"]:
        case "base64":
            return replace(media, media_type=source["media_type"], data=source["data"])
        case "url":
            return replace(media, url=source["url"])
        case "text":
            return replace(media, media_type="text/plain", data=foreign.base64_of(source["data"]))
    raise _unheld(f"a source of the type {str(source['type'])[:64]}")


def _tool(tool: Mapping[str, Any]) -> ToolSpec:
    if tool.get("type") not in (None, "custom"):
        raise _unheld(f"a tool of the type {str(tool['type'])[:64]}")
    for field in tool:
        if field not in _TOOL_FIELDS and tool[field]:
            raise _unheld(f"{str(field)[:64]} of a tool")
    return ToolSpec(tool["name"], tool.get("description") or "", tool["input_schema"], tool.get("strict"))


def _tool_choice(choice: Any) -> ToolChoice | None:
    if choice is None:
        return None
    parallel = False if choice.get("disable_parallel_tool_use") else None
    return ToolChoice(_CHOICES[choice["type"]], choice.get("name") or "", parallel)


def _output(wanted: Any) -> OutputFormat:
    if wanted is None:
        return OutputFormat()
    if wanted["type"] != "json_schema":
        raise _unheld(f"an output format of the type {str(wanted['type'])[:64]}")
    return OutputFormat("json_schema", "answer", wanted["schema"], strict=_all_required(wanted["schema"]) or None)


def _all_required(schema: Any) -> bool:
    """Whether every object of a schema requires all it may have: then other providers can guarantee it, too."""
    if isinstance(schema, list):
        return all(_all_required(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    named = schema.get("properties")
    if isinstance(named, dict) and set(named) - set(schema.get("required") or ()):
        return False
    return all(_all_required(item) for item in schema.values())


def _reasoning(thinking: Mapping[str, Any], effort: str) -> Reasoning:
    summary = "auto" if thinking.get("display") == "summarized" else ""
    match thinking.get("type"):
        case None | "adaptive":
            return Reasoning(effort, summary=summary)
        case "disabled":
            return Reasoning("none")
        case "enabled":
            return Reasoning(effort, thinking["budget_tokens"], summary)
    raise _unheld(f"thinking of the type {str(thinking['type'])[:64]}")


def _unheld(what: str) -> AirsideError:
    return AirsideError(
        Code.INVALID_REQUEST,
        f"{what} can only be sent to an upstream that speaks Messages itself",
        advice="Leave it out, or route this model to a provider that speaks the client's format.",
    )
