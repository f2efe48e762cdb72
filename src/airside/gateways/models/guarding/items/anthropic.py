"""Messages: each message is its role's; what a tool gave back stands in messages of the user (`walk.py` knows it)."""

from collections.abc import Iterator
from typing import Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Item, fields
from airside.guards.finding import Place

_ROLES: Final = {"user": Place.USER, "assistant": Place.HISTORY, "system": Place.SYSTEM}
_FIELDS: Final = {"tools": Place.DESCRIPTION, "output_config": Place.DESCRIPTION}
_WITHOUT: Final = frozenset({"messages", "system", "model"})


def items(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request."""
    system = request.value.get("system")
    first = 1 if system else 0
    if system:
        yield Item(0, ("system",), Place.SYSTEM, system)
    messages = request.value["messages"]
    for index, message in enumerate(messages):
        plain = len(message) == 2 and type(message["content"]) is str
        yield Item(first + index, ("messages", index), _ROLES[message["role"]], message, plain)
    yield from fields(request.value, first + len(messages), _FIELDS, _WITHOUT)
