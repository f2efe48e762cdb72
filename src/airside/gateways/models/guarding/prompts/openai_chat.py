"""Chat Completions: messages of users and tools are marked; the first message of the developer is introduced."""

from collections.abc import Mapping
from typing import Any, Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.prompts.blocks import Say, before, content
from airside.guards.finding import Place

_PLACES: Final = {"user": Place.USER, "tool": Place.RESULT, "function": Place.RESULT}
_TEXT: Final = frozenset({"text"})


def marked(request: ModelRequest, say: Say, introduction: str) -> Mapping[str, Any]:
    """Return the fields of a request that change."""
    messages = [_message(message, say) for message in request.value["messages"]]
    if introduction:
        first = messages[0]
        if first["role"] not in ("system", "developer"):
            messages.insert(0, {"role": "system", "content": introduction})
        elif isinstance(first.get("content"), list):
            messages[0] = {**first, "content": [{"type": "text", "text": introduction}, *first["content"]]}
        else:
            messages[0] = {**first, "content": before(introduction, first.get("content") or "")}
    return {"messages": messages}


def _message(message: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    place = _PLACES.get(message["role"])
    if place is None or "content" not in message:
        return message
    return {**message, "content": content(message["content"], place, say, _TEXT)}
