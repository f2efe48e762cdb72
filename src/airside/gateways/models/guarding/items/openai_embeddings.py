"""Embeddings: every text is the user's."""

from collections.abc import Iterator
from typing import Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Item, fields
from airside.guards.finding import Place

_WITHOUT: Final = frozenset({"input", "model"})


def items(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request; token numbers say nothing that could be read here."""
    given = request.value["input"]
    if isinstance(given, str):
        yield Item(0, ("input",), Place.USER, given)
    else:
        for index, item in enumerate(given):
            if isinstance(item, str):
                yield Item(index, ("input", index), Place.USER, item)
    yield from fields(request.value, len(request.parts) - 1, {}, _WITHOUT)
