"""The texts of an answer in any wire format: found by what they are not, so that what a provider adds is checked too.

Every string of what the model said is a text, except names, ids, enumerations, and what is sealed or encoded.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Kind = Literal["text", "thinking", "refusal", "arguments", "object", "other"]
Path = tuple[str | int, ...]

_SAID: Final = ("choices", "content", "output", "candidates")
"""Where answers hold what the model said: Chat Completions, Messages, Responses, Gemini."""

_COUNTED: Final = frozenset({"usage", "usageMetadata", "system_fingerprint", "service_tier"})
"""Fields of answers that count, or name the machine."""

_ECHOED_NAMES: Final = """
    conversation input instructions metadata moderation previous_response_id prompt prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning safety_identifier text tool_choice tools truncation
    user"""
_ECHOED: Final = frozenset(_ECHOED_NAMES.split())
"""What a response of the Responses API repeats of its request, which is the client's own."""

_NAMES: Final = frozenset({"id", "type", "role", "status", "model", "object", "index", "namespace", "phase"})
_REFERENCES: Final = frozenset({"call_id", "tool_use_id", "item_id", "container_id", "file_id"})
_ENDS: Final = frozenset({"finish_reason", "finishReason", "stop_reason", "stop_sequence", "safetyRatings"})
_SEALED: Final = frozenset({"signature", "thoughtSignature", "encrypted_content", "encrypted_index"})
_ENCODED: Final = frozenset({"data", "b64_json", "mimeType", "media_type"})
_LOGPROBS: Final = frozenset({"logprobs", "logprobsResult"})
_NO_TEXT: Final = _NAMES | _REFERENCES | _ENDS | _SEALED | _ENCODED | _LOGPROBS
_THINKING: Final = frozenset({"thinking", "reasoning", "reasoning_content", "reasoning_details"})
_SPOKEN: Final = frozenset({"content", "text", "transcript"})
_ARGUMENTS: Final = frozenset({"arguments", "input", "args"})


class Piece(Struct, frozen=True):
    """One text, where it stands in the answer, and what it is.

    `arguments` may be spelled JSON; an `object` is a value that stands there, as JSON.
    """

    path: Path
    text: str
    kind: Kind


def decoded(body: bytes) -> dict[str, Any] | None:
    """Return an answer's values, or None for what is no JSON object."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def pieces(answer: Mapping[str, Any]) -> list[Piece]:
    """Return the texts of an answer in their order."""
    found: list[Piece] = []
    for name in _SAID:
        if isinstance(answer.get(name), list):
            found += _in(answer[name], (name,), "text")
    silent = _NO_TEXT | _COUNTED | (_ECHOED if answer.get("object") == "response" else frozenset())
    for name, item in answer.items():
        if name not in silent and not (name in _SAID and isinstance(item, list)):
            found += _in(item, (name,), "other")  # what providers add: sources, results of searches
    return found


def _in(value: Any, path: Path, kind: Kind) -> Iterator[Piece]:
    if isinstance(value, str):
        if value:
            yield Piece(path, value, kind)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in(item, (*path, index), kind)
    elif isinstance(value, dict):
        own: Kind = "thinking" if value.get("thought") is True or value.get("type") == "reasoning" else kind
        for name, item in value.items():
            if name in _NO_TEXT:
                continue
            of = _kind(name, own)
            if of == "arguments" and item and isinstance(item, dict | list):
                yield Piece((*path, name), msgspec.json.encode(item).decode(), "object")
            else:
                yield from _in(item, (*path, name), of)


def _kind(name: str, kind: Kind) -> Kind:
    """Return what the texts under a name are, in what is of a kind itself."""
    if kind in {"arguments", "thinking"}:
        return kind
    if name in _THINKING:
        return "thinking"
    if name in _ARGUMENTS:
        return "arguments"
    if name == "refusal":
        return "refusal"
    return "text" if name in _SPOKEN or name in {"message", "parts"} else "other"


def with_texts(answer: Mapping[str, Any], changed: Sequence[tuple[Path, Any]]) -> bytes:
    """Return an answer with other values at these places, without the probabilities of what had stood there."""
    value: Any = msgspec.json.decode(msgspec.json.encode(answer))
    for path, text in changed:
        inner = value
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = text
    for name in _SAID:
        if name in value:
            _without_logprobs(value[name])
    return msgspec.json.encode(value)


def _without_logprobs(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _without_logprobs(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _LOGPROBS and item:
                value[name] = [] if isinstance(item, list) else None
            elif name not in _ARGUMENTS:
                _without_logprobs(item)


def parsed(text: str) -> Any:
    """Return the value of spelled arguments; None if they are no JSON object or list."""
    try:
        value = msgspec.json.decode(text) if text[:1] in ("{", "[") else None
    except (msgspec.MsgspecError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
