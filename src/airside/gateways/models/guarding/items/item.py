"""A part of a request with one speaker, and where it stands."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from airside.gateways.models.guarding.words import FIELDS
from airside.guards.finding import Place

Path = tuple[str | int, ...]
"""Where a value stands in a request: a field and, in a list, the index. Empty: several of the request's own fields."""

_SILENT: Final = (bool, int, float, type(None))


class Item(Struct, frozen=True):
    """A value whose words are one speaker's: `part` is the piece of the request it belongs to (`Call.parts`).

    `alone` is whether the piece says all that the value does, so that the piece's name is the value's.
    """

    part: int
    path: Path
    place: Place
    value: Any
    alone: bool = False


def fields(value: Mapping[str, Any], part: int, known: Mapping[str, Place], without: Collection[str]) -> Iterator[Item]:
    """Yield a request's own fields, by speaker; those that no table knows are the user's.

    `without` are fields that are items of their own, or name what is asked and not what is said.
    """
    said: dict[Place, dict[str, Any]] = {}
    for name, item in value.items():
        if name not in without and (type(item) not in _SILENT or name not in FIELDS):
            said.setdefault(known.get(name, Place.USER), {})[name] = item
    for place, values in said.items():
        yield Item(part, (), place, values)
