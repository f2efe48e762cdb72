"""Why an agent wants what it wants: the words and thoughts in an answer of its model, in any wire format. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final

CHARACTERS_MAX: Final = 20_000


def reasoning(answer: bytes) -> str:
    """Return what a model said and thought in an answer, in its order; empty if nothing can be read."""
    try:
        value: Any = json.loads(answer)
        pieces = [piece for piece in _pieces(value) if piece.strip()] if isinstance(value, dict) else []
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    return "\n".join(pieces)[:CHARACTERS_MAX]


def _pieces(value: dict[str, Any]) -> Iterator[str]:
    if "choices" in value:  # Chat Completions
        message = value["choices"][0]["message"]
        yield str(message.get("reasoning_content") or message.get("reasoning") or "")
        yield from _texts(message.get("content"))
    elif "output" in value:  # Responses
        for item in value["output"]:
            if item.get("type") == "reasoning":
                yield from _texts(item.get("summary"))
            elif item.get("type") == "message":
                yield from _texts(item.get("content"))
    elif "candidates" in value:  # Gemini
        for part in value["candidates"][0]["content"].get("parts") or ():
            yield str(part.get("text") or "")
    elif "content" in value:  # Anthropic
        yield from _texts(value["content"])


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        yield str(block.get("text") or block.get("thinking") or "")
