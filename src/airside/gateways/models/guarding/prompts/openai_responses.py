"""Responses: messages of users and results of tools are marked; the instructions are introduced."""

from collections.abc import Mapping
from typing import Any, Final

from airside.gateways.models.formats.openai_responses import items
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.prompts.blocks import Say, before, content
from airside.guards.finding import Place

_TEXT: Final = frozenset({"input_text", "text", "output_text"})


def marked(request: ModelRequest, say: Say, introduction: str) -> Mapping[str, Any]:
    """Return the fields of a request that change."""
    given = request.value.get("input")
    changed: dict[str, Any] = {}
    if given is not None:
        changed["input"] = say(given, Place.USER) if isinstance(given, str) else [_item(item, say) for item in given]
    if introduction:
        said = request.value.get("instructions")
        changed["instructions"] = before(introduction, said if isinstance(said, str) else "")
    return changed


def _item(item: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    kind = items.kind_of(item)
    if kind in items.RESULTS:
        return {**item, "output": content(item.get("output"), Place.RESULT, say, _TEXT)}
    if kind == "message" and item.get("role") == "user":
        return {**item, "content": content(item.get("content"), Place.USER, say, _TEXT)}
    return item
