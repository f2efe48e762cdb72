"""What a model said in an answer, whatever wire format it is journaled in: for people, and to tell answers apart."""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Said(Struct, frozen=True):
    """The text of an answer, and whether it asks for tools."""

    text: str = ""
    tools: bool = False


_NOTHING = Said()
_TOOL_TYPES = frozenset({"tool_use", "function_call", "custom_tool_call"})


def said(answer: bytes) -> Said:
    """Return what an answer says in any of the four formats; nothing if it is none of them."""
    try:
        value: Any = json.loads(answer)
        pieces = list(_pieces(value)) if isinstance(value, dict) else []
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _NOTHING
    return Said("".join(text for text, _ in pieces), any(tool for _, tool in pieces))


def _pieces(value: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    if "choices" in value:  # Chat Completions
        message = value["choices"][0]["message"]
        yield from _texts(message.get("content"))
        yield "", bool(message.get("tool_calls"))
    elif "output" in value:  # Responses
        for item in value["output"]:
            yield "", item.get("type") in _TOOL_TYPES
            if item.get("type") == "message":
                yield from _texts(item.get("content"))
    elif "candidates" in value:  # Gemini
        for part in value["candidates"][0]["content"].get("parts") or ():
            shown = part.get("text") or ""
            yield ("" if part.get("thought") else str(shown)), "functionCall" in part
    elif "content" in value:  # Anthropic
        yield from _texts(value["content"])


def _texts(content: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(content, str):
        yield content, False
    for block in content if isinstance(content, list) else ():
        kind = block.get("type")
        text = block.get("text") if kind in {"text", "output_text"} else ""
        yield str(text or ""), kind in _TOOL_TYPES
