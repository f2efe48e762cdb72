"""What one item of a request says, and how guards let it go on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from airside.core.run import Identity
from airside.gateways.models.guarding.items.item import Item
from airside.gateways.models.guarding.walk import walked
from airside.guards.finding import Place
from airside.guards.service import Guards
from airside.guards.verdict import Judged

SHORT_CHARS_MAX: Final = 200
"""Shorter texts of one item are looked at together first: most say nothing that is found, and there may be hundreds."""

_TOGETHER_CHARS_MAX: Final = 16_384

Text = tuple[Place, str]
Replaced = Mapping[Text, str]
"""What stands in the place of texts; a text that is not named goes on as it is."""


class Judgement(NamedTuple):
    """A text of an item in which something counts, and its number among the item's texts."""

    number: int
    place: Place
    text: str
    judged: tuple[Judged, ...]


class Seen(Struct, frozen=True):
    """What guards make of an item. It is `clean` if nothing was found, whatever may follow from that here."""

    texts: Sequence[Judgement]
    clean: bool


def texts_of(item: Item) -> list[Text]:
    """Return the texts of an item, each once, in their order."""
    if item.alone:
        return [(item.place, item.value["content"])]
    found: dict[Text, None] = {}

    def taken(text: str, place: Place) -> str:
        if text:
            found[place, text] = None
        return text

    walked(item.value, item.place, taken)
    return list(found)


def replaced_in(item: Item, replaced: Replaced) -> Any:
    """Return the item's value as it may go on."""
    return walked(item.value, item.place, lambda text, place: replaced.get((place, text), text))


async def seen(guards: Guards, who: Identity, item: Item) -> Seen:
    """Let guards look at an item; raises `guard_blocked` if a guard fails, `limit_exceeded` for a text too long."""
    texts = texts_of(item)
    quiet = await _quiet(guards, who, texts) if len(texts) > 2 else frozenset()
    told: list[Judgement] = []
    clean = True
    for number, (place, text) in enumerate(texts):
        if (place, text) in quiet:
            continue
        findings = await guards.found(who, text, place)
        if findings:
            clean = False
            if judged := guards.judge(who, findings, place):
                told.append(Judgement(number, place, text, judged))
    return Seen(told, clean)


async def _quiet(guards: Guards, who: Identity, texts: Sequence[Text]) -> frozenset[Text]:
    """Return short texts in which nothing is found when they are read together."""
    quiet: set[Text] = set()
    for place, some in _together([one for one in texts if len(one[1]) <= SHORT_CHARS_MAX]):
        if not await guards.found(who, "\n".join(some), place):
            quiet.update((place, text) for text in some)
    return frozenset(quiet)


def _together(texts: Sequence[Text]) -> Iterator[tuple[Place, Sequence[str]]]:
    for place in dict.fromkeys(place for place, _ in texts):
        some: list[str] = []
        chars = 0
        for text in (text for where, text in texts if where is place):
            if chars + len(text) > _TOGETHER_CHARS_MAX:
                yield place, some
                some, chars = [], 0
            some.append(text)
            chars += len(text) + 1
        yield place, some
