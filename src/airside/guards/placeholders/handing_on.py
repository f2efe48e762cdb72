"""Placeholders in what one run hands to another, and gets back.

A run's placeholders mean nothing elsewhere. What is handed on is therefore translated: each placeholder of the giver
becomes the taker's own for the same value, so that the taker's vault holds what was handed on and nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any

from airside.core.run import Identity
from airside.guards.placeholders.reading import put_back_for_owner
from airside.guards.placeholders.spelling import placeholders_in, put_back
from airside.guards.ports import Placeholders


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text in it changed; names of members stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return value


def said_in(value: Any) -> str:
    """Return what is spelled like a placeholder in a JSON value, each once, as one text; empty if nothing is."""
    names: dict[str, None] = {}

    def noted(text: str) -> str:
        names.update(dict.fromkeys(placeholders_in(text)))
        return text

    mapped(value, noted)
    return " ".join(names)


async def restored(placeholders: Placeholders, who: Identity, value: Any, *, in_links: bool = True) -> Any:
    """Return a JSON value with the run's values in the place of placeholders, of those in links if `in_links`."""
    said = said_in(value)
    found = await placeholders.values(who, said) if said else {}
    if not found:
        return value
    texts = {name: one.text for name, one in found.items()}
    back = put_back if in_links else put_back_for_owner
    return mapped(value, lambda text: back(text, texts))


async def handed_on(placeholders: Placeholders, value: Any, giver: Identity, taker: Identity) -> Any:
    """Return a JSON value with the taker's placeholders in the place of the giver's.

    A value for which the taker gets none becomes its kind, in brackets; what the giver was never given stays as it is.
    """
    said = said_in(value)
    found = await placeholders.values(giver, said) if said else {}
    if not found:
        return value
    names = await placeholders.names(taker, list(found.values()))
    texts = {name: names.get(one, f"[{one.kind}]") for name, one in found.items()}
    return mapped(value, lambda text: put_back(text, texts))
