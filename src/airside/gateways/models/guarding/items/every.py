"""The table of tables: what is said in a request of any wire format."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items import anthropic, gemini, openai_chat, openai_embeddings, openai_responses
from airside.gateways.models.guarding.items.item import Item

_TABLES: Final[Mapping[str, Callable[[ModelRequest], Iterator[Item]]]] = {
    "openai_chat": openai_chat.items,
    "openai_responses": openai_responses.items,
    "anthropic": anthropic.items,
    "gemini": gemini.items,
    "openai_embeddings": openai_embeddings.items,
}


def items_of(request: ModelRequest) -> Iterator[Item]:
    """Yield what is said in a request, in its order; a format without a table raises KeyError, so nothing leaves."""
    return _TABLES[request.format.name](request)
