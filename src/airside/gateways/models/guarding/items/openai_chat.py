"""Chat Completions: each message is its role's; tools and the form of the answer describe."""

from collections.abc import Iterator
from typing import Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Item, fields
from airside.guards.finding import Place

_ROLES: Final = {
    "system": Place.SYSTEM,
    "developer": Place.SYSTEM,
    "assistant": Place.HISTORY,
    "tool": Place.RESULT,
    "function": Place.RESULT,
}
_FIELDS: Final = dict.fromkeys(("tools", "functions", "response_format"), Place.DESCRIPTION)
_WITHOUT: Final = frozenset({"messages", "model"})


def items(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request."""
    messages = request.value["messages"]
    for index, message in enumerate(messages):
        plain = len(message) == 2 and type(message.get("content")) is str
        yield Item(index, ("messages", index), _ROLES.get(message["role"], Place.USER), message, plain)
    yield from fields(request.value, len(messages), _FIELDS, _WITHOUT)
