"""The message model into Gemini: requests to upstreams, answers to clients."""

import base64
import mimetypes
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airside.gateways.models.formats import foreign
from airside.gateways.models.formats.gemini import usage
from airside.gateways.models.formats.gemini.reading import JSON_TYPE, MADE, NAME
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

_REASONS: Mapping[Stop, str] = {
    "end": "STOP",
    "tool_calls": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576}  # as Google's own OpenAI face maps them
_LEVELS = frozenset({"minimal", "low", "medium", "high"})
_BUDGETED = re.compile(r"gemini-2\.")
_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}


def request(prompt: Prompt, *, model: str, output_tokens: int) -> bytes:
    """Write a prompt for an upstream; raises `invalid_request` for what Gemini cannot express."""
    system, contents = _conversation(prompt.messages)
    value: dict[str, Any] = {"contents": contents}
    if system:
        value["systemInstruction"] = {"parts": system}
    if prompt.tools:
        value["tools"] = [{"functionDeclarations": [_tool(tool) for tool in prompt.tools]}]
        value |= _choice(prompt)
    config = {"maxOutputTokens": output_tokens, **_sampling(prompt), **_output(prompt)}
    thinking = _thinking_config(prompt, model)
    value["generationConfig"] = config | ({"thinkingConfig": thinking} if thinking else {})
    return msgspec.json.encode(value)


def body(answer: Answer) -> bytes:
    """Write an answer for a client."""
    parts = [part for block in answer.blocks for part in _spoken(block)]
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate = {"content": content, "finishReason": _REASONS[answer.stop], "index": 0}
    value = {"candidates": [candidate], **head(answer)}
    if answer.usage is not None:
        value["usageMetadata"] = usage.write(answer.usage)
    return msgspec.json.encode(value)


def head(answer: Answer) -> dict[str, Any]:
    """Return what every response of a stream names."""
    return {"modelVersion": answer.model, "responseId": answer.answer_id}


def _conversation(messages: Iterable[Message]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the parts of the system text, and the contents; turns of one role become one."""
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    called: dict[str, str] = {}
    for message in messages:
        parts = list(_written(message.blocks, called))
        role = "model" if message.role == "assistant" else "user"
        if message.role == "system":
            if contents:
                raise untranslatable("a system message after the first turn", "client's", NAME)
            system += parts
        elif contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    for content in contents:
        content["parts"].sort(key=lambda part: content["role"] == "user" and "functionResponse" not in part)
    return system, contents


def _written(blocks: Iterable[Block], called: dict[str, str]) -> Iterable[dict[str, Any]]:
    """Yield the parts of a turn of the history. A signature without words belongs to the text after it."""
    signature = ""
    for block in blocks:
        match block:
            case Thinking():
                if block.origin != NAME:
                    raise untranslatable("a thinking block", block.origin, NAME)
                if not block.text and not block.sealed:
                    signature = block.signature
                    continue
                yield _thought(block)
            case Text() | Refused():
                if block.text or signature:
                    yield {"text": block.text} | ({"thoughtSignature": signature} if signature else {})
                signature = ""
            case ToolCall():
                called[block.call_id] = block.name
                yield _call(block)
            case ToolResult():
                yield _result(block, called)
            case Media():
                yield _media(block)
    if signature:
        yield {"text": "", "thoughtSignature": signature}


def _spoken(block: Block) -> Iterable[dict[str, Any]]:
    """Yield the parts of a block of an answer. Another model's thinking carries what has to come back with it."""
    match block:
        case Text() | Refused():
            if block.text:
                yield {"text": block.text}
        case Thinking():
            yield _thought(block)
        case ToolCall():
            yield _call(block)
        case _:
            raise untranslatable("media in an answer", "upstream's", NAME)


def _thought(thinking: Thinking) -> dict[str, Any]:
    signature = thinking.signature if thinking.origin == NAME else foreign.closed(thinking)
    return {"text": thinking.text, "thought": True} | ({"thoughtSignature": signature} if signature else {})


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        given = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.MsgspecError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise untranslatable("a tool call whose arguments are not a JSON object", "client's", NAME)
    own = {} if call.call_id.startswith(MADE) else {"id": call.call_id}
    part: dict[str, Any] = {"functionCall": {**own, "name": call.name, "args": given}}
    return part | ({"thoughtSignature": call.signature} if call.signature else {})


def _result(result: ToolResult, called: Mapping[str, str]) -> dict[str, Any]:
    if not all(isinstance(block, Text) for block in result.content):
        raise untranslatable("an image or a document in a tool's result", "client's", NAME)
    text = "\n".join(block.text for block in result.content if isinstance(block, Text))
    own = {} if result.call_id.startswith(MADE) else {"id": result.call_id}
    name = called.get(result.call_id) or result.name
    return {"functionResponse": {**own, "name": name, "response": _response(text, is_error=result.is_error)}}


def _response(text: str, *, is_error: bool) -> dict[str, Any]:
    if is_error:
        return {"error": text}
    try:
        given = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {"output": text}


def _media(media: Media) -> dict[str, Any]:
    if media.kind == "audio":
        raise untranslatable("audio", "client's", NAME)
    if media.url:
        kind = media.media_type or mimetypes.guess_type(media.url.partition("?")[0])[0]
        return {"fileData": {"fileUri": media.url} | ({"mimeType": kind} if kind else {})}
    return {"inlineData": {"mimeType": media.media_type, "data": _standard(media.data)}}


def _standard(data: str) -> str:
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        raise untranslatable("media that is not base64", "client's", NAME) from None
    return data


def _tool(tool: Any) -> dict[str, Any]:
    value = {"name": tool.name, "parametersJsonSchema": tool.schema}
    return value | ({"description": tool.description} if tool.description else {})


def _choice(prompt: Prompt) -> dict[str, Any]:
    choice = prompt.tool_choice
    if choice is not None and choice.parallel is False:
        raise untranslatable("calling at most one tool at a time", "client's", NAME)
    if choice is not None and choice.mode == "tool":
        calling: dict[str, Any] = {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    elif (choice is None or choice.mode == "auto") and any(tool.strict for tool in prompt.tools):
        calling = {"mode": "VALIDATED"}  # arguments that surely fit their schema
    elif choice is not None:
        calling = {"mode": _MODES[choice.mode]}
    else:
        return {}
    return {"toolConfig": {"functionCallingConfig": calling}}


def _sampling(prompt: Prompt) -> dict[str, Any]:
    sampling = prompt.sampling
    value = {spelled: item for name, spelled in _NAMES.items() if (item := getattr(sampling, name)) is not None}
    return value | ({"stopSequences": list(sampling.stop)} if sampling.stop else {})


def _output(prompt: Prompt) -> dict[str, Any]:
    output = prompt.output
    if output.kind == "text":
        return {}
    schema = {"responseJsonSchema": output.schema} if output.kind == "json_schema" else {}
    return {"responseMimeType": JSON_TYPE, **schema}


def _thinking_config(prompt: Prompt, model: str) -> dict[str, Any]:
    """Return how much the model may think. Models until 2.5 want a budget of tokens, later ones a level."""
    wanted = prompt.reasoning
    shown = {"includeThoughts": True} if wanted.summary else {}
    if wanted.budget_tokens is not None:
        return {"thinkingBudget": wanted.budget_tokens, **shown}
    if wanted.effort == "none":
        return {"thinkingBudget": 0}
    if not wanted.effort:
        return shown
    if _BUDGETED.search(model) and wanted.effort in _BUDGETS:
        return {"thinkingBudget": _BUDGETS[wanted.effort], **shown}
    if wanted.effort not in _LEVELS:
        raise untranslatable(f"the reasoning effort {wanted.effort[:32]!r}", "client's", NAME)
    return {"thinkingLevel": wanted.effort, **shown}
