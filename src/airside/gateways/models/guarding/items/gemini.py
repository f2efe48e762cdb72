"""Gemini: each content is its role's; function responses stand in contents of the user (`walk.py` knows them)."""

from collections.abc import Iterator
from typing import Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Item, fields
from airside.guards.finding import Place

_ROLES: Final = {"model": Place.HISTORY, "function": Place.RESULT}
_FIELDS: Final = {"tools": Place.DESCRIPTION, "generationConfig": Place.DESCRIPTION}
_WITHOUT: Final = frozenset({"contents", "systemInstruction", "model"})


def items(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request."""
    system = request.value.get("systemInstruction")
    first = 1 if system else 0
    if system:
        yield Item(0, ("systemInstruction",), Place.SYSTEM, system)
    contents = request.value["contents"]
    for index, content in enumerate(contents):
        place = _ROLES.get(str(content.get("role")), Place.USER)
        yield Item(first + index, ("contents", index), place, content)
    yield from fields(request.value, first + len(contents), _FIELDS, _WITHOUT)
