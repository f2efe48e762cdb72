"""The message model into Responses: requests to upstreams, answers to clients."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats.openai_responses import request as requests
from airside.gateways.models.formats.openai_responses import stream, usage
from airside.gateways.models.formats.openai_responses.reading import NAME, Carried
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.message import (
    Answer,
    Block,
    Media,
    Message,
    Prompt,
    Refused,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    untranslatable,
)

_INCOMPLETE: Mapping[Stop, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: tuple[tuple[str, Any], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("reasoning", {"effort": None, "summary": None}),
    ("temperature", None),
    ("text", {"format": {"type": "text"}}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_p", None),
    ("truncation", "disabled"),
    ("user", None),
)


def request(prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> bytes:
    """Write a prompt for an upstream; raises `invalid_request` for what Responses cannot express."""
    value: dict[str, Any] = {
        "model": model,
        "input": [item for message in prompt.messages for item in _items(message)],
        "max_output_tokens": output_tokens,
        "store": False,
    }
    if stream:
        value["stream"] = True
    if prompt.tools:
        value["tools"] = [_tool(tool) for tool in prompt.tools]
    value |= _choice(prompt) | _output_format(prompt) | _sampling(prompt) | _reasoning(prompt)
    if prompt.user:
        value["user"] = prompt.user
    if requests.reasons(value, model):
        value["include"] = [requests.ENCRYPTED]
    return msgspec.json.encode(value)


def body(answer: Answer, asked: ModelRequest) -> bytes:
    """Write an answer for a client."""
    reason = _INCOMPLETE.get(answer.stop)
    value = head(answer, asked) | {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output(answer),
    }
    if answer.usage is not None:
        value["usage"] = usage.write(answer.usage)
    return msgspec.json.encode(value)


def head(answer: Answer, asked: ModelRequest) -> dict[str, Any]:
    """Return what is known of a response before anything is said."""
    echoed = {name: default if asked.value.get(name) is None else asked.value[name] for name, default in _ECHOED}
    return {
        "id": f"resp_{answer.answer_id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": answer.model,
        **echoed,
        "previous_response_id": None,
        "store": asked.value.get("store") is not False,
        "usage": None,
    }


def output(answer: Answer) -> list[dict[str, Any]]:
    """Return the output items of an answer: texts in a row are one message, thoughts in a row one reasoning item.

    Thoughts without words go to the reasoning just before them, else to an item after the text: a stream that is
    written while it arrives cannot know of them earlier. Tool calls come last.
    """
    said = _Said(answer.answer_id)
    for block in answer.blocks:
        if isinstance(block, Media | ToolResult):
            raise untranslatable("media in an answer", "upstream's", NAME)
        said.add(block)
    calls = [block for block in answer.blocks if isinstance(block, ToolCall)]
    silent = Carried(tuple(said.silent), {call.call_id: call.signature for call in calls if call.signature})
    if silent.thoughts or silent.signatures:
        item = {"id": f"rs_{said.name()}", "type": "reasoning", "summary": [], "encrypted_content": silent.sealed()}
        said.items.append(item)
    for call in calls:
        said.items += [_call(call) | {"id": f"fc_{said.name()}", "status": "completed"}]
    return said.items or [stream.item_of("text", "", said.name())]


class _Said:
    """The items of what a model said and thought, as they grow."""

    def __init__(self, answer_id: str) -> None:
        self.items: list[dict[str, Any]] = []
        self.silent: list[Thinking] = []
        self._answer_id = answer_id
        self._thoughts: list[Thinking] = []  # of the last reasoning item

    def name(self) -> str:
        return f"{self._answer_id}_{len(self.items)}"

    def add(self, block: Block) -> None:
        last: dict[str, Any] = self.items[-1] if self.items else {"type": ""}
        match block:
            case Thinking():
                self._think(block, begins=last["type"] != "reasoning")
            case Text() if last["type"] == "message" and "text" in last["content"][-1]:
                last["content"][-1]["text"] += block.text
            case Text():
                self.items.append(stream.item_of("text", block.text, self.name()))
            case Refused():
                said = {"content": [{"type": "refusal", "refusal": block.text}]}
                self.items.append(stream.item_of("text", "", self.name()) | said)

    def _think(self, block: Thinking, *, begins: bool) -> None:
        if not block.text and begins:
            self.silent.append(block)
            return
        if begins:
            self._thoughts = []
            self.items.append(stream.item_of("thinking", "", self.name()))
        self._thoughts.append(block)
        self.items[-1]["summary"][0]["text"] += block.text
        self.items[-1]["encrypted_content"] = Carried(tuple(self._thoughts)).sealed()


def _items(message: Message) -> Iterable[dict[str, Any]]:
    others = []
    for block in message.blocks:
        if isinstance(block, ToolResult):
            yield {"type": "function_call_output", "call_id": block.call_id, "output": _result(block)}
        else:
            others.append(block)
    if message.role == "assistant":
        yield from _spoken(others)
    elif others:
        yield {"type": "message", "role": message.role, "content": [_part(block) for block in others]}


def _result(result: ToolResult) -> str | list[dict[str, Any]]:
    if all(isinstance(block, Text) for block in result.content):
        return "\n".join(block.text for block in result.content if isinstance(block, Text))
    return [_part(block) for block in result.content]


def _spoken(blocks: Iterable[Block]) -> Iterable[dict[str, Any]]:
    for block in blocks:
        match block:
            case Text():
                yield _said({"type": "output_text", "text": block.text, "annotations": []})
            case Refused():
                yield _said({"type": "refusal", "refusal": block.text})
            case ToolCall():
                if block.signature:
                    raise untranslatable("a tool call with a signature", "client's", NAME)
                yield _call(block)
            case Thinking(origin=origin) if origin == NAME and block.sealed:
                summary = [{"type": "summary_text", "text": block.text}] if block.text else []
                yield {"type": "reasoning", "summary": summary, "encrypted_content": block.sealed}
            case Thinking():
                raise untranslatable("a thinking block", block.origin, NAME)
            case _:
                raise untranslatable("media in an assistant message", "client's", NAME)


def _said(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [part]}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}


def _part(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "input_text", "text": block.text}
    if isinstance(block, Media) and block.kind == "image":
        return {"type": "input_image", "image_url": _url(block), "detail": block.detail or "auto"}
    if isinstance(block, Media) and block.kind == "document":
        where = {"file_url": block.url} if block.url else {"file_data": _url(block)}
        return {"type": "input_file", "filename": block.title or "document", **where}
    raise untranslatable("a content block that is neither text, image nor document", "client's", NAME)


def _url(media: Media) -> str:
    return media.url or f"data:{media.media_type};base64,{media.data}"


def _tool(tool: Any) -> dict[str, Any]:
    strict = bool(tool.strict)  # Responses take true where nothing is said, which most schemas do not fit
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": strict,
    }


def _choice(prompt: Prompt) -> dict[str, Any]:
    choice = prompt.tool_choice
    if choice is None or not prompt.tools:
        return {}
    named = {"type": "function", "name": choice.name}
    value: dict[str, Any] = {"tool_choice": named if choice.mode == "tool" else choice.mode}
    return value | ({"parallel_tool_calls": choice.parallel} if choice.parallel is not None else {})


def _output_format(prompt: Prompt) -> dict[str, Any]:
    wanted = prompt.output
    if wanted.kind == "text":
        return {}
    if wanted.kind == "json_object":
        return {"text": {"format": {"type": "json_object"}}}
    shape: dict[str, Any] = {"type": "json_schema", "name": wanted.name or "answer", "schema": wanted.schema}
    return {"text": {"format": shape | ({"strict": wanted.strict} if wanted.strict is not None else {})}}


def _sampling(prompt: Prompt) -> dict[str, Any]:
    sampling = prompt.sampling
    for name in ("top_k", "seed", "frequency_penalty", "presence_penalty"):
        if getattr(sampling, name) is not None:
            raise untranslatable(name, "client's", NAME)
    if sampling.stop:
        raise untranslatable("a stop sequence", "client's", NAME)
    return {name: item for name in ("temperature", "top_p") if (item := getattr(sampling, name)) is not None}


def _reasoning(prompt: Prompt) -> dict[str, Any]:
    wanted = prompt.reasoning
    if wanted.budget_tokens is not None:
        raise untranslatable("a budget of thinking tokens", "client's", NAME)
    value = {name: item for name in ("effort", "summary") if (item := getattr(wanted, name))}
    return {"reasoning": value} if value else {}
