"""The message model into Messages: requests to upstreams, answers to clients."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats import foreign
from airside.gateways.models.formats.anthropic import usage
from airside.gateways.models.formats.anthropic.reading import NAME
from airside.gateways.models.formats.anthropic.request import THINKING_TOKENS_MIN, fitting_budget
from airside.gateways.models.formats.anthropic.stream import object_text
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
    ToolSpec,
    untranslatable,
)

_REASONS: Mapping[Stop, str] = {
    "end": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "stop_sequence": "stop_sequence",
    "content_filter": "refusal",
    "refusal": "refusal",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
_EFFORTS = {"minimal": "low"}  # the nearest there is
_SHARES = {"low": 5, "medium": 2, "high": 1.25, "xhigh": 1.1, "max": 1.05}  # of the output, where budgets are in tokens
_BUDGETED = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[015])?(-\d{8}|@|-v\d|$))")
_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def request(prompt: Prompt, *, model: str, output_tokens: int, stream: bool) -> dict[str, Any]:
    """Return a prompt for an upstream; raises `invalid_request` for what Messages cannot express."""
    value: dict[str, Any] = {"model": model, "max_tokens": output_tokens}
    system, messages = _conversation(prompt.messages)
    if system:
        value["system"] = system
    value["messages"] = messages
    if stream:
        value["stream"] = True
    if prompt.tools:
        value["tools"] = [_tool(tool) for tool in prompt.tools]
    if prompt.user:
        value["metadata"] = {"user_id": prompt.user}
    value |= _choice(prompt) | _sampling(prompt)
    thinking, effort = _reasoning(prompt, model, output_tokens)
    config = _output(prompt) | ({"effort": effort} if effort else {})
    if thinking:
        value["thinking"] = thinking
    return value | ({"output_config": config} if config else {})


def body(answer: Answer) -> bytes:
    """Write an answer for a client; raises `invalid_request` for what Messages cannot express."""
    cut = answer.stop in {"length", "content_filter"}
    value = {
        **head(answer),
        "content": [item for block in _joined(answer.blocks) for item in _spoken(block, cut=cut)],
        "stop_reason": _REASONS[answer.stop],
        "stop_sequence": answer.stop_sequence or None,
        "usage": usage.write(answer.usage),
    }
    return msgspec.json.encode(value)


def head(answer: Answer) -> dict[str, Any]:
    """Return the message that a stream begins with."""
    return {
        "id": f"msg_{answer.answer_id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage.write(None),
    }


def _joined(blocks: Iterable[Block]) -> list[Block]:
    """Return blocks with adjacent texts as one, as a client's stream has them."""
    joined: list[Block] = []
    for block in blocks:
        if isinstance(block, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + block.text)
        elif not isinstance(block, Text) or block.text:
            joined.append(block)
    return joined


def _conversation(messages: Iterable[Message]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the system text that comes before anything else, and the turns; turns of one role become one."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        content = [item for block in message.blocks for item in _written(block)]
        if message.role == "system" and not turns:
            system += content
        elif turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": message.role, "content": content})
    for turn in turns:
        turn["content"].sort(key=lambda item: item["type"] != "tool_result")  # results first, or they are refused
    return system, turns


def _written(block: Block) -> Iterable[dict[str, Any]]:
    """Yield the items of a block of the history that goes to an upstream."""
    match block:
        case Text():
            if block.text:
                mark = {"cache_control": {"type": "ephemeral"}} if block.cache else {}
                yield {"type": "text", "text": block.text, **mark}
        case Refused():
            yield {"type": "text", "text": block.text}
        case Media():
            yield _media(block)
        case ToolResult():
            yield _result(block)
        case Thinking():
            if block.origin != NAME:
                raise untranslatable("a thinking block", block.origin, NAME)
            yield _thinking(block)
        case ToolCall():
            yield _call(block, cut=False)


def _spoken(block: Block, *, cut: bool) -> Iterable[dict[str, Any]]:
    """Yield the items of a block of an answer. Another model's thinking carries what has to come back with it."""
    match block:
        case Text() | Refused():
            yield {"type": "text", "text": block.text}
        case Thinking():
            yield _thinking(block)
        case ToolCall():
            if block.signature:
                yield {"type": "redacted_thinking", "data": foreign.closed_call(block)}
            yield _call(block, cut=cut)
        case _:
            raise untranslatable("media in an answer", "upstream's", NAME)


def _thinking(thinking: Thinking) -> dict[str, Any]:
    own = thinking.origin == NAME
    if own and thinking.sealed:
        return {"type": "redacted_thinking", "data": thinking.sealed}
    if not own and not thinking.text:
        return {"type": "redacted_thinking", "data": foreign.closed(thinking)}
    signature = thinking.signature if own else foreign.closed(thinking)
    return {"type": "thinking", "thinking": thinking.text, "signature": signature}


def _call(call: ToolCall, *, cut: bool) -> dict[str, Any]:
    try:
        given = object_text(call.arguments or "{}", cut=cut)
    except ValueError:
        raise untranslatable("a tool call whose arguments are not a JSON object", "client's", NAME) from None
    return {"type": "tool_use", "id": _id(call.call_id), "name": call.name, "input": given}


def _id(call_id: str) -> str:
    """Return a call's id in the characters that Anthropic takes; the same for its result."""
    if _ID.fullmatch(call_id):
        return call_id
    return "toolu_" + hashlib.sha256(call_id.encode()).hexdigest()[:32]


def _result(result: ToolResult) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(result.call_id)}
    content = [item for block in result.content for item in _written(block)]
    if content:
        value["content"] = content
    return value | ({"is_error": True} if result.is_error else {})


def _media(media: Media) -> dict[str, Any]:
    if media.kind == "audio":
        raise untranslatable("audio", "client's", NAME)
    title = {"title": media.title} if media.title and media.kind == "document" else {}
    if media.url:
        return {"type": media.kind, "source": {"type": "url", "url": media.url}, **title}
    if media.kind == "document" and media.media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _text_of(media.data)}
    else:
        source = {"type": "base64", "media_type": media.media_type, "data": media.data}
    return {"type": media.kind, "source": source, **title}


def _text_of(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        raise untranslatable("a text document that is not UTF-8 in base64", "client's", NAME) from None


def _tool(tool: ToolSpec) -> dict[str, Any]:
    schema = tool.schema if tool.schema.get("type") else {"type": "object", **tool.schema}
    value: dict[str, Any] = {"name": tool.name, "input_schema": schema}
    if tool.description:
        value["description"] = tool.description
    return value | ({"strict": True} if tool.strict else {})


def _choice(prompt: Prompt) -> dict[str, Any]:
    choice = prompt.tool_choice
    if choice is None or not prompt.tools:
        return {}
    value: dict[str, Any] = {"type": _CHOICES[choice.mode]}
    if choice.mode == "tool":
        value["name"] = choice.name
    if choice.parallel is False and choice.mode != "none":
        value["disable_parallel_tool_use"] = True
    return {"tool_choice": value}


def _sampling(prompt: Prompt) -> dict[str, Any]:
    sampling = prompt.sampling
    for name in ("seed", "frequency_penalty", "presence_penalty"):
        if getattr(sampling, name):
            raise untranslatable(name, "client's", NAME)
    if sampling.temperature is not None and sampling.temperature > 1:
        raise untranslatable("a temperature above 1", "client's", NAME)
    value = {name: item for name in ("temperature", "top_p", "top_k") if (item := getattr(sampling, name)) is not None}
    return value | ({"stop_sequences": list(sampling.stop)} if sampling.stop else {})


def _reasoning(prompt: Prompt, model: str, output_tokens: int) -> tuple[dict[str, Any], str]:
    """Return the field `thinking` and the effort. Models until 4.5 want a budget of tokens, later ones an effort."""
    wanted = prompt.reasoning
    if wanted.effort == "none":
        return {"type": "disabled"}, ""
    shown = {"display": "summarized"} if wanted.summary else {}
    effort = _EFFORTS.get(wanted.effort, wanted.effort)
    budget = wanted.budget_tokens
    if budget is None and effort and _BUDGETED.search(model):
        share = _SHARES.get(effort)
        if share is None:
            raise untranslatable(f"the reasoning effort {effort[:32]!r}", "client's", NAME)
        budget, effort, shown = max(THINKING_TOKENS_MIN, int(output_tokens / share)), "", {}
    if budget is not None:
        asked = max(prompt.output_tokens_max or 0, output_tokens)
        fitting = fitting_budget(max(budget, THINKING_TOKENS_MIN), asked=asked, granted=output_tokens)
        return {"type": "enabled", "budget_tokens": fitting, **shown}, effort
    if effort:
        return {"type": "adaptive", **shown}, effort
    return {}, ""


def _output(prompt: Prompt) -> dict[str, Any]:
    output = prompt.output
    if output.kind == "text":
        return {}
    if output.kind == "json_object":
        raise untranslatable("JSON output without a schema", "client's", NAME)
    return {"format": {"type": "json_schema", "schema": _closed(output.schema)}}


def _closed(schema: Any) -> Any:
    """Return a schema in which no object may have more than it names: Anthropic takes no other."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("additionalProperties") not in (None, False):
        raise untranslatable("an output schema with free properties", "client's", NAME)
    closed = {name: _closed(item) for name, item in schema.items()}
    return closed | ({"additionalProperties": False} if schema.get("type") == "object" else {})
