"""Responses into the message model: requests of clients, answers of upstreams."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.openai_responses import items, request, stream, usage
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

NAME = "openai_responses"
CARRIED = "airside1."
"""Begins the `encrypted_content` of reasoning that another format gave: see `Carried`."""
_NOT_HELD = ("top_logprobs", "context_management", "max_tool_calls", "image", "access_programs")


class Carried(Struct, frozen=True):
    """What a client carries for another format, for its way back: thoughts, and signatures by tool-call id."""

    thoughts: tuple[Thinking, ...] = ()
    signatures: dict[str, str] = {}

    def sealed(self) -> str:
        """Return it as the `encrypted_content` of a reasoning item."""
        return CARRIED + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()


_carried = msgspec.json.Decoder(Carried).decode


def prompt(asked: ModelRequest) -> Prompt:
    """Return the request in the message model; raises `invalid_request` for what it cannot hold."""
    request.refuse_references(asked)
    try:
        return _prompt(asked, asked.value)
    except (LookupError, TypeError, AttributeError, ValueError, msgspec.MsgspecError):
        raise AirsideError(Code.INVALID_REQUEST, "an item or a tool of the request is not well formed") from None


def _prompt(asked: ModelRequest, value: Mapping[str, Any]) -> Prompt:
    for name in _NOT_HELD:
        if value.get(name):
            raise _unheld(name)
    if value.get("truncation") == "auto":
        raise _unheld("truncation by the provider")
    reasoning = value.get("reasoning") or {}
    instructions = value.get("instructions")
    system = [Message("system", (Text(instructions),))] if instructions else []
    return Prompt(
        messages=(*system, *_messages(items.checked(value.get("input") or ""))),
        tools=tuple(_tool(tool) for tool in value.get("tools") or ()),
        tool_choice=_tool_choice(value),
        output=_output((value.get("text") or {}).get("format")),
        sampling=Sampling(temperature=value.get("temperature"), top_p=value.get("top_p")),
        reasoning=Reasoning(effort=reasoning.get("effort") or "", summary=reasoning.get("summary") or ""),
        output_tokens_max=asked.output_tokens_max,
        user=value.get("user") or value.get("safety_identifier") or "",
    )


def answer(body: bytes) -> Answer:
    """Return an upstream's whole answer in the message model; raises BrokenAnswer."""
    value = response(body)
    try:
        blocks = [block for item in value["output"] for block in _spoken(item)]
    except (LookupError, TypeError, AttributeError, ValueError, AirsideError, msgspec.MsgspecError):
        raise BrokenAnswer("the response holds an item that cannot be read") from None
    return Answer(
        blocks=tuple(blocks),
        stop=_stop(value, blocks),
        usage=usage.read(value.get("usage")),
        model=str(value.get("model") or ""),
        answer_id=str(value.get("id") or ""),
    )


def response(body: bytes) -> dict[str, Any]:
    """Return a whole response as values; raises BrokenAnswer if it is none, RejectedAnswer if it failed."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BrokenAnswer("the answer is not a response") from None
    if not isinstance(value, dict):
        raise BrokenAnswer("the answer is not a response")
    stream.check(value)
    return value


def _stop(value: Mapping[str, Any], blocks: Iterable[Block]) -> Stop:
    if value.get("status") == "incomplete":
        reason = (value.get("incomplete_details") or {}).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    kinds = {type(block) for block in blocks}
    if ToolCall in kinds:
        return "tool_calls"
    return "refusal" if Refused in kinds else "end"


def _messages(conversation: Iterable[Mapping[str, Any]]) -> Iterable[Message]:
    """Yield the turns: what the assistant said, thought and called in a row is one; `at` is its first item."""
    turn: list[Block] = []
    signatures: dict[str, str] = {}
    begun = NOWHERE
    for index, item in enumerate(conversation):
        kind = items.kind_of(item)
        if kind in items.CALLS or kind == "reasoning" or (kind == "message" and item["role"] == "assistant"):
            begun = index if not turn else begun
            carried = _opened(item) if kind == "reasoning" else None
            signatures |= carried.signatures if carried is not None else {}
            turn += _spoken(item)
            continue
        if turn:
            yield Message("assistant", _ordered(turn, signatures), begun)
            turn = []
        yield _message(index, kind, item)
    if turn:
        yield Message("assistant", _ordered(turn, signatures), begun)


def _ordered(turn: Iterable[Block], signatures: Mapping[str, str]) -> tuple[Block, ...]:
    """Return a turn as it was said: thoughts without words, which a stream cannot show in their place, come first."""
    blocks = [_signed(block, signatures) for block in turn]
    silent = [block for block in blocks if isinstance(block, Thinking) and not block.text]
    return (*silent, *[block for block in blocks if not (isinstance(block, Thinking) and not block.text)])


def _signed(block: Block, signatures: Mapping[str, str]) -> Block:
    if isinstance(block, ToolCall) and block.call_id in signatures:
        return replace(block, signature=signatures[block.call_id])
    return block


def _message(index: int, kind: str, item: Mapping[str, Any]) -> Message:
    if kind == "function_call_output":
        content = _content(item.get("output") or "")
        held = tuple(block for block in content if isinstance(block, Text | Media))
        return Message("user", (ToolResult(item["call_id"], held),), index)
    if kind != "message":
        raise _unheld(f"an item of the type {kind}")
    role: Literal["user", "system"] = "user" if item["role"] == "user" else "system"
    return Message(role, tuple(_content(item["content"])), index)


def _spoken(item: Mapping[str, Any]) -> list[Block]:
    kind = items.kind_of(item)
    if kind == "message":
        return _content(item["content"])
    if kind == "reasoning":
        return _reasoned(item)
    if kind == "function_call":
        return [ToolCall(item["call_id"], item["name"], item.get("arguments") or "{}")]
    raise _unheld(f"an item of the type {kind}")


def _reasoned(item: Mapping[str, Any]) -> list[Block]:
    carried = _opened(item)
    if carried is not None:
        return list(carried.thoughts)
    sealed = item.get("encrypted_content") or ""
    parts = item.get("content") or item.get("summary") or ()
    text = "\n\n".join(part["text"] for part in parts)
    return [Thinking(text, NAME, sealed=sealed, item_id=str(item.get("id") or ""))]


def _opened(item: Mapping[str, Any]) -> Carried | None:
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed.startswith(CARRIED):
        return None
    return _carried(base64.urlsafe_b64decode(sealed.removeprefix(CARRIED)))


def _content(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_part(part) for part in content]


def _part(part: Mapping[str, Any]) -> Block:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return Text(part["text"])
        case "refusal":
            return Refused(part["refusal"])
        case "input_image" if part.get("image_url"):
            return _media("image", part["image_url"], detail=part.get("detail") or "")
        case "input_file" if part.get("file_data") or part.get("file_url"):
            return _media("document", part.get("file_data") or part["file_url"], title=part.get("filename") or "")
    raise _unheld(f"a content part of the type {part.get('type')}")


def _media(kind: Literal["image", "document"], url: str, *, title: str = "", detail: str = "") -> Media:
    if not url.startswith("data:"):
        return Media(kind, url=url, title=title, detail=detail)
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        raise AirsideError(Code.INVALID_REQUEST, "a data URL must be base64")
    return Media(kind, head[5:-7], data, title=title, detail=detail)


def _tool(tool: Mapping[str, Any]) -> ToolSpec:
    if tool["type"] != "function":
        raise _unheld(f"a tool of the type {tool['type']}")
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    return ToolSpec(tool["name"], tool.get("description") or "", schema, tool.get("strict"))


def _tool_choice(value: Mapping[str, Any]) -> ToolChoice | None:
    choice, parallel = value.get("tool_choice"), value.get("parallel_tool_calls")
    if choice is None:
        return ToolChoice(parallel=parallel) if parallel is not None else None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice, parallel=parallel)
    if not isinstance(choice, dict) or choice.get("type") != "function":
        raise _unheld("this tool choice")
    return ToolChoice("tool", choice["name"], parallel)


def _output(wanted: Any) -> OutputFormat:
    match (wanted or {}).get("type", "text"):
        case "text":
            return OutputFormat()
        case "json_object":
            return OutputFormat("json_object")
        case "json_schema":
            return OutputFormat("json_schema", wanted["name"], wanted["schema"], wanted.get("strict"))
    raise _unheld(f"a text format of the type {wanted['type']}")


def _unheld(what: str) -> AirsideError:
    return AirsideError(
        Code.INVALID_REQUEST,
        f"{what} can only be sent to an upstream that speaks Responses itself",
        advice="Leave it out, or route this model to a provider that speaks the client's format.",
    )
