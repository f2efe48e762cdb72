"""The message model into Chat Completions: requests to upstreams, answers to clients."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airside.core.call import Usage
from airside.gateways.models.formats.openai_chat.reading import NAME
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

_FINISH: Mapping[Stop, str] = {
    "end": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "stop_sequence": "stop",
    "content_filter": "content_filter",
    "refusal": "stop",
}


def request(prompt: Prompt, *, model: str, output_tokens: int, stream: bool, limit_field: str) -> bytes:
    """Write a prompt for an upstream; raises `invalid_request` for what Chat Completions cannot express."""
    value: dict[str, Any] = {
        "model": model,
        "messages": [item for message in prompt.messages for item in _messages(message)],
        limit_field: output_tokens,
    }
    if stream:
        value |= {"stream": True, "stream_options": {"include_usage": True}}
    if prompt.tools:
        value["tools"] = [_tool(tool) for tool in prompt.tools]
    value |= _choice(prompt) | _output(prompt) | _sampling(prompt)
    if prompt.reasoning.budget_tokens is not None:
        raise untranslatable("a budget of thinking tokens", "client's", NAME)
    if prompt.reasoning.effort:
        value["reasoning_effort"] = prompt.reasoning.effort
    if prompt.user:
        value["user"] = prompt.user
    return msgspec.json.encode(value)


def body(answer: Answer) -> bytes:
    """Write an answer for a client."""
    choice = {"index": 0, "message": _spoken(answer.blocks), "logprobs": None, "finish_reason": _FINISH[answer.stop]}
    value = {**head(answer), "object": "chat.completion", "choices": [choice]}
    if answer.usage is not None:
        value["usage"] = _usage(answer.usage)
    return msgspec.json.encode(value)


def head(answer: Answer) -> dict[str, Any]:
    """Return what every chunk of an answer begins with."""
    value: dict[str, Any] = {
        "id": f"chatcmpl-{answer.answer_id}",
        "created": int(time.time()),
        "model": answer.model,
    }
    if answer.fingerprint:
        value["system_fingerprint"] = answer.fingerprint
    return value


def _messages(message: Message) -> Iterable[dict[str, Any]]:
    results = [block for block in message.blocks if isinstance(block, ToolResult)]
    yield from (_result(result) for result in results)
    if message.role == "assistant":
        yield _spoken(message.blocks, history=True)
    elif others := [block for block in message.blocks if not isinstance(block, ToolResult)]:
        yield {"role": message.role, "content": _content(others)}


def _result(result: ToolResult) -> dict[str, Any]:
    if not all(isinstance(block, Text) for block in result.content):
        raise untranslatable("an image or a document in a tool's result", "client's", NAME)
    return {"role": "tool", "tool_call_id": result.call_id, "content": _content(result.content)}


def _content(blocks: Iterable[Block]) -> str | list[dict[str, Any]]:
    items = list(blocks)
    if len(items) == 1 and isinstance(items[0], Text):
        return items[0].text
    return [_part(block) for block in items]


def _part(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Media) and block.kind == "image":
        image = {"url": _url(block)} | ({"detail": block.detail} if block.detail else {})
        return {"type": "image_url", "image_url": image}
    if isinstance(block, Media) and block.kind == "document" and block.data:
        return {"type": "file", "file": {"filename": block.title or "document", "file_data": _url(block)}}
    raise untranslatable("a content block that is neither text, image nor inline document", "client's", NAME)


def _url(media: Media) -> str:
    return media.url or f"data:{media.media_type};base64,{media.data}"


def _spoken(blocks: Iterable[Block], *, history: bool = False) -> dict[str, Any]:
    """Return an assistant message. One of the `history` goes back to an upstream, which reads only its own thoughts."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    text, calls, thoughts = [], [], []
    for block in blocks:
        match block:
            case Text():
                text.append(block.text)
            case Refused():
                message["refusal"] = block.text
            case ToolCall():
                calls.append(_call(block))
            case Thinking():
                if history and block.origin != NAME:
                    raise untranslatable("a thinking block", block.origin, NAME)
                thoughts.append(block)
            case _:
                raise untranslatable("media in an assistant message", "client's", NAME)
    if text:
        message["content"] = "".join(text)
    if thoughts:
        message["reasoning_content"] = "".join(thought.text for thought in thoughts)
        if any(thought.signature or thought.sealed for thought in thoughts):
            message["reasoning_details"] = [msgspec.to_builtins(thought) for thought in thoughts]
    if calls:
        message["tool_calls"] = calls
    return message


def _call(call: ToolCall) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        value["extra_content"] = {"google": {"thought_signature": call.signature}}
    return value


def _tool(tool: Any) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _choice(prompt: Prompt) -> dict[str, Any]:
    choice = prompt.tool_choice
    if choice is None or not prompt.tools:
        return {}
    named = {"type": "function", "function": {"name": choice.name}}
    value: dict[str, Any] = {"tool_choice": named if choice.mode == "tool" else choice.mode}
    if choice.parallel is not None:
        value["parallel_tool_calls"] = choice.parallel
    return value


def _output(prompt: Prompt) -> dict[str, Any]:
    output = prompt.output
    if output.kind == "text":
        return {}
    if output.kind == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema: dict[str, Any] = {"name": output.name or "answer", "schema": output.schema}
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _sampling(prompt: Prompt) -> dict[str, Any]:
    sampling = prompt.sampling
    if sampling.top_k is not None:
        raise untranslatable("top_k", "client's", NAME)
    named = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
    value = {name: item for name in named if (item := getattr(sampling, name)) is not None}
    return value | ({"stop": list(sampling.stop)} if sampling.stop else {})


def _usage(used: Usage) -> dict[str, Any]:
    read = used.input + used.cached_read + used.cache_write
    return {
        "prompt_tokens": read,
        "completion_tokens": used.output,
        "total_tokens": read + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached_read, "cache_write_tokens": used.cache_write},
    }
