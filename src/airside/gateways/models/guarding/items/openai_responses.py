"""Responses: each item is its role's or its kind's; instructions are the developer's."""

from collections.abc import Iterator
from typing import Final

from airside.gateways.models.formats.openai_responses.items import RESULTS, kind_of
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Item, fields
from airside.guards.finding import Place

_ROLES: Final = {
    "system": Place.SYSTEM,
    "developer": Place.SYSTEM,
    "user": Place.USER,
    "assistant": Place.HISTORY,
}
_FIELDS: Final = {"instructions": Place.SYSTEM, "tools": Place.DESCRIPTION, "text": Place.DESCRIPTION}
_WITHOUT: Final = frozenset({"input", "model"})


def items(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request."""
    given = request.value.get("input")
    count = 1
    if isinstance(given, str):
        yield Item(0, ("input",), Place.USER, given)
    else:
        count = len(given or ())
        for index, item in enumerate(given or ()):
            yield Item(index, ("input", index), _place(item, kind_of(item)), item)
    yield from fields(request.value, count, _FIELDS, _WITHOUT)


def _place(item: dict[str, object], kind: str) -> Place:
    if kind == "message":
        return _ROLES.get(str(item.get("role")), Place.USER)
    return Place.RESULT if kind in RESULTS else Place.HISTORY
