"""From a request's canonical pieces to what the classifier looks at: the same for a call that comes and one recorded.

Every wire format cuts a request into one piece for each item of the conversation and a last one for everything else, so
that one walk serves them all: the last item of the user that says something, and the shape around it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from airside.gateways.models.message import Prompt
from airside.gateways.models.routing.features import Seen

ITEMS_MAX = 64  # how far back the user's last words are looked for
DEPTH_MAX = 6
_TEXT_KEYS = ("content", "text", "parts", "input")
_STRUCTURED = (b"json_schema", b"responseSchema", b"json_object", b"responseJsonSchema")


def seen(parts: Sequence[bytes]) -> Seen:
    """Return what is seen of a request; of one without words of a user, its shape alone."""
    items, parameters = parts[:-1], parts[-1] if parts else b"{}"
    text = next((said for part in reversed(items[-ITEMS_MAX:]) if (said := _said_by_user(part))), "")
    return Seen(
        text=text,
        turns=len(items),
        tools=_tools(parameters),
        structured=any(mark in parameters for mark in _STRUCTURED),
    )


def last_words(prompt: Prompt) -> str:
    """Return the user's last words as models are given them: what guards have replaced is replaced here too."""
    return next((said for one in reversed(prompt.messages) if one.role == "user" and (said := one.text)), "")


def _said_by_user(part: bytes) -> str:
    try:
        item = msgspec.json.decode(part)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(item, dict) or item.get("role") != "user":
        return ""
    return "\n".join(_texts(item.get("content", item.get("parts")), DEPTH_MAX))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth - 1)
    elif depth and isinstance(value, dict) and value.get("type") not in {"tool_result", "function_call_output"}:
        for key in _TEXT_KEYS:
            yield from _texts(value.get(key), depth - 1)


def _tools(parameters: bytes) -> int:
    if b'"tools"' not in parameters:
        return 0
    try:
        tools = msgspec.json.decode(parameters).get("tools")
    except (msgspec.DecodeError, RecursionError, AttributeError):
        return 0
    return len(tools) if isinstance(tools, list) else 0
