"""Messages: texts of users, and what tools and searches brought, are marked; the system text is introduced."""

from collections.abc import Mapping
from typing import Any, Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.prompts.blocks import Say, before, content
from airside.guards.finding import Place

_TEXT: Final = frozenset({"text"})
_RESULTS: Final = frozenset({"tool_result", "search_result"})


def marked(request: ModelRequest, say: Say, introduction: str) -> Mapping[str, Any]:
    """Return the fields of a request that change."""
    changed: dict[str, Any] = {"messages": [_message(message, say) for message in request.value["messages"]]}
    if introduction:
        system = request.value.get("system") or ""
        blocks = [{"type": "text", "text": introduction}]
        changed["system"] = before(introduction, system) if isinstance(system, str) else [*blocks, *system]
    return changed


def _message(message: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    if message["role"] != "user":
        return message
    said = message["content"]
    if isinstance(said, list):
        said = [_result(block, say) if block["type"] in _RESULTS else block for block in said]
    return {**message, "content": content(said, Place.USER, say, _TEXT)}


def _result(block: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    return {**block, "content": content(block["content"], Place.RESULT, say, _TEXT)} if "content" in block else block
