"""Gemini into the message model: requests of clients, answers of upstreams."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats import foreign
from airside.gateways.models.formats.gemini import usage
from airside.gateways.models.formats.gemini.schema import json_schema
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

NAME = "gemini"
MADE = "call_gemini_"
"""How the ids begin that are made here, for calls that Gemini gave none."""

JSON_TYPE = "application/json"
_NOT_HELD = ("safetySettings",)
_CONFIG = frozenset(
    {
        "candidateCount",
        "frequencyPenalty",
        "maxOutputTokens",
        "presencePenalty",
        "responseJsonSchema",
        "responseMimeType",
        "responseModalities",
        "responseSchema",
        "seed",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    }
)
_STOPS: Mapping[str, Stop] = {
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
_MODES: Mapping[str, Any] = {"AUTO": "auto", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto", "NONE": "none"}
_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_PART_FIELDS = frozenset(
    {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"}
)


def prompt(request: ModelRequest) -> Prompt:
    """Return the request in the message model; raises `invalid_request` for what it cannot hold."""
    try:
        return _prompt(request, request.value)
    except (LookupError, TypeError, AttributeError, msgspec.ValidationError):
        raise AirsideError(Code.INVALID_REQUEST, "a content or a tool of the request is not well formed") from None


def _prompt(request: ModelRequest, value: Mapping[str, Any]) -> Prompt:
    config = value.get("generationConfig") or {}
    for name in _NOT_HELD:
        if value.get(name):
            raise _unheld(name)
    for name, item in config.items():
        if name not in _CONFIG and item not in (None, False):
            raise _unheld(str(name)[:64])
    turns = messages(value["contents"])
    system = (value.get("systemInstruction") or {}).get("parts") or ()
    if system:
        turns.insert(0, Message("system", tuple(Text(part["text"]) for part in system), NOWHERE))
    calling = (value.get("toolConfig") or {}).get("functionCallingConfig") or {}
    strict = True if calling.get("mode") == "VALIDATED" else None
    top_k = config.get("topK")
    return Prompt(
        messages=tuple(turns),
        tools=tuple(_tools(value.get("tools") or (), strict)),
        tool_choice=_tool_choice(calling),
        output=_output(config),
        sampling=Sampling(
            temperature=config.get("temperature"),
            top_p=config.get("topP"),
            top_k=None if top_k is None else int(top_k),
            seed=config.get("seed"),
            frequency_penalty=config.get("frequencyPenalty"),
            presence_penalty=config.get("presencePenalty"),
            stop=tuple(config.get("stopSequences") or ()),
        ),
        reasoning=_reasoning(config.get("thinkingConfig") or {}),
        output_tokens_max=request.output_tokens_max,
    )


def answer(body: bytes) -> Answer:
    """Return an upstream's whole answer in the message model; raises BrokenAnswer."""
    try:
        value = msgspec.json.decode(body)
        name = str(value.get("responseId") or hashlib.sha256(body).hexdigest()[:16])
        blocks, reason = _candidate(value, name)
        stop = "content_filter" if reason is None else _STOPS[reason]
        if stop == "end" and any(isinstance(block, ToolCall) for block in blocks):
            stop = "tool_calls"
        return Answer(
            blocks=tuple(blocks),
            stop=stop,
            usage=usage.read(value.get("usageMetadata")),
            model=str(value.get("modelVersion") or ""),
            answer_id=name,
        )
    except (msgspec.MsgspecError, RecursionError, ValueError, LookupError, TypeError, AttributeError, AirsideError):
        raise BrokenAnswer("the answer is none of generateContent that could be read") from None


def _candidate(value: Mapping[str, Any], name: str) -> tuple[list[Block], str | None]:
    """Return what the candidate says and why it ended; no reason where the prompt was blocked."""
    candidates = value.get("candidates")
    if not candidates:
        if not (value.get("promptFeedback") or {}).get("blockReason"):
            raise BrokenAnswer("the answer holds no candidate")
        return [], None
    parts = (candidates[0].get("content") or {}).get("parts") or []
    return _blocks(parts, _Calls(name)), candidates[0]["finishReason"]


class _Calls:
    """Names function calls that have no id, and finds the call that a response without an id answers."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._open: list[tuple[str, str]] = []

    def made(self, call: Mapping[str, Any]) -> str:
        """Return the id of a call."""
        call_id = call.get("id") or f"{MADE}{self._name}_{self._count}"
        self._count += 1
        self._open.append((call_id, call["name"]))
        return str(call_id)

    def answered(self, response: Mapping[str, Any]) -> str:
        """Return the id of the call that a response belongs to: its own, else the first open one of that name."""
        given = response.get("id")
        for pair in self._open:
            if given == pair[0] or (not given and pair[1] == response["name"]):
                self._open.remove(pair)
                return pair[0]
        return str(given or f"{MADE}{self._name}_unasked")


def messages(contents: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return contents as turns of the message model, with an id for every function call and response."""
    calls = _Calls("asked")
    return [_message(index, content, calls) for index, content in enumerate(contents)]


def _message(index: int, content: Mapping[str, Any], calls: _Calls) -> Message:
    blocks = tuple(_blocks(content.get("parts") or (), calls))
    return Message("assistant" if content.get("role") == "model" else "user", blocks, index)


def _blocks(parts: Iterable[Mapping[str, Any]], calls: _Calls) -> list[Block]:
    blocks: list[Block] = []
    for part in parts:
        for field, item in part.items():
            if field not in _PART_FIELDS and item is not None:
                raise _unheld(f"a part with {str(field)[:64]}")
        blocks += _block(part, calls)
    return blocks


def _block(part: Mapping[str, Any], calls: _Calls) -> Iterable[Block]:
    signature = part.get("thoughtSignature") or ""
    if part.get("functionCall") is not None:
        call = part["functionCall"]
        arguments = msgspec.json.encode(call.get("args") or {}).decode()
        yield ToolCall(calls.made(call), call["name"], arguments, signature)
    elif part.get("functionResponse") is not None:
        response = part["functionResponse"]
        if response.get("parts"):
            raise _unheld("a function response with media")
        yield _result(calls.answered(response), response)
    elif part.get("inlineData") is not None:
        blob = part["inlineData"]
        yield Media(_kind(blob["mimeType"]), blob["mimeType"], blob["data"], title=blob.get("displayName") or "")
    elif part.get("fileData") is not None:
        file = part["fileData"]
        yield Media(_kind(file.get("mimeType") or ""), file.get("mimeType") or "", url=file["fileUri"])
    elif part.get("thought"):
        yield foreign.opened(signature, part.get("text") or "") or Thinking(part.get("text") or "", NAME, signature)
    elif "text" in part:
        if signature:
            yield Thinking("", NAME, signature)
        if part["text"]:
            yield Text(part["text"])


def _kind(media_type: str) -> Any:
    return "image" if media_type.startswith("image/") else "document"


def _result(call_id: str, response: Mapping[str, Any]) -> ToolResult:
    given = response.get("response") or {}
    for field in ("output", "error"):
        if list(given) == [field] and isinstance(given[field], str):
            return ToolResult(call_id, (Text(given[field]),), response["name"], is_error=field == "error")
    return ToolResult(call_id, (Text(msgspec.json.encode(given).decode()),), response["name"])


def _tools(tools: Iterable[Mapping[str, Any]], strict: bool | None) -> Iterable[ToolSpec]:
    for tool in tools:
        if tool.get("computerUse") is not None:
            raise _unheld("the tool computerUse")
        for declared in tool.get("functionDeclarations") or ():
            schema = declared.get("parametersJsonSchema")
            if schema is None:
                schema = json_schema(declared.get("parameters")) or {"type": "object", "properties": {}}
            yield ToolSpec(declared["name"], declared.get("description") or "", schema, strict)


def _tool_choice(calling: Mapping[str, Any]) -> ToolChoice | None:
    mode = calling.get("mode")
    if mode is None:
        return None
    allowed = calling.get("allowedFunctionNames") or []
    if mode == "ANY" and len(allowed) == 1:
        return ToolChoice("tool", allowed[0])
    if allowed:
        raise _unheld("a choice among some of the functions")
    return ToolChoice("required") if mode == "ANY" else ToolChoice(_MODES[mode])


def _output(config: Mapping[str, Any]) -> OutputFormat:
    kind = config.get("responseMimeType") or "text/plain"
    schema = config.get("responseJsonSchema")
    if schema is None:
        schema = json_schema(config.get("responseSchema"))
    if schema is not None and kind == JSON_TYPE:
        return OutputFormat("json_schema", "answer", schema)
    if kind not in {"text/plain", JSON_TYPE}:
        raise _unheld(f"an answer of the type {str(kind)[:64]}")
    return OutputFormat("json_object") if kind == JSON_TYPE else OutputFormat()


def _reasoning(config: Mapping[str, Any]) -> Reasoning:
    summary = "auto" if config.get("includeThoughts") else ""
    level, budget = str(config.get("thinkingLevel") or "").lower(), config.get("thinkingBudget")
    if level in _LEVELS:
        return Reasoning(level, summary=summary)
    if budget == 0:
        return Reasoning("none")
    return Reasoning(budget_tokens=budget if budget is not None and budget > 0 else None, summary=summary)


def _unheld(what: str) -> AirsideError:
    return AirsideError(
        Code.INVALID_REQUEST,
        f"{what} can only be sent to an upstream that speaks Gemini itself",
        advice="Leave it out, or route this model to a provider that speaks the client's format.",
    )
