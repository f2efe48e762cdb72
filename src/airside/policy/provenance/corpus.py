"""What sources hold, searchable for values: whole fields, what their texts name, and runs of their words."""

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Any, Final, NamedTuple

from airside.policy.provenance import entities
from airside.policy.provenance.entities import Entity, Kind
from airside.policy.provenance.text import framed, plain, words

SHORT_CHARS_MAX: Final = 3
"""Values of at most so many letters or digits (or numbers of so many) are found in prose only where it marks them."""

RUN_WORDS_MAX: Final = 40
"""Longer runs of words are looked for in the user's words only: elsewhere they vouch for nothing, and cost time."""

REMEMBERED_CHARS_MAX: Final = 4_096
"""Texts of at most so many characters are taken apart once, however many runs come across them."""

_MARK = r"(?:\b(?:id|ids|no|nr|num|number|code|ref|row|item|file|order|ticket|case|invoice|user|channel)\b[\s.:#]*|#)"
_QUOTES = "'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb"


class Place(NamedTuple):
    """Where something stands: the source (a call's id, `prompt`, an approval's id) and the field in it."""

    source: str
    field: str = ""


class Corpus:
    """Grows with every source that is added; nothing is ever taken out. First found is where a value comes from.

    With `prose`, short values are found too where the text marks them, as people write: `file 13`, `'13'`.
    """

    def __init__(self, *, prose: bool = False) -> None:
        self._is_prose = prose
        self._whole: dict[str, Place] = {}
        self._alone: dict[Entity, Place] = {}
        self._named: dict[Entity, Place] = {}
        self._days: dict[str, Place] = {}
        self._words: set[str] = set()
        self._said: list[str] = []
        self._raw: list[str] = []
        self._places: list[Place] = []
        self._starts: list[int] = []
        self._joined = ""
        self._length = 0

    def add(self, value: Any, place: Place) -> None:
        """Take in one scalar."""
        if isinstance(value, bool):
            return
        text = plain(str(value))
        self._whole.setdefault(_exact(text), place)
        if (entity := entities.of_value(value)) is not None:
            self._alone.setdefault(entity, place)
            self._name(entity, place)
            if entity.kind is not Kind.DATE:
                return
        named, said = _read(text) if len(text) <= REMEMBERED_CHARS_MAX else _reading(text)
        for entity in named:
            self._name(entity, place)
        self._words.update(said.split())
        self._said.append(said)
        self._starts.append(self._length)
        self._length += len(said) + 1
        self._places.append(place)
        if self._is_prose:
            self._raw.append(text)

    def whole(self, value: Any) -> Place | None:
        """Return where a value stands as a whole field: as itself, or as another writing of the same entity."""
        entity = entities.of_value(value)
        if entity is not None and (place := self._alone.get(entity)) is not None:
            return place
        return self._whole.get(_exact(plain(str(value))))

    def find(self, value: Any, *, prose: bool = True) -> Place | None:
        """Return where a scalar stands: as a whole field, named in a text, or (`prose`) as a run of a text's words."""
        entity = entities.of_value(value)
        telling = entity is not None and not (prose and _is_short(entity))
        if entity is not None and telling and (place := self._entity(entity)) is not None:
            return place
        text = plain(str(value))
        if (place := self._whole.get(_exact(text))) is not None:
            return place
        if entity is not None and entity.kind is not Kind.NUMBER:
            return None  # a link or an address is named as one, or not at all
        return self._prose(text) if prose else None

    def amount(self, value: Any) -> Place | None:
        """Return where a number stands as a number, however short."""
        entity = entities.of_value(value)
        return self._named.get(entity) if entity is not None and entity.kind is Kind.NUMBER else None

    def names(self, entity: Entity) -> Place | None:
        """Return where an entity is named."""
        return self._entity(entity)

    def holds(self, text: str) -> bool:
        """Whether a comparable text stands in a source as a run of words, however short."""
        return self._run(framed(text)) is not None

    def beginning(self, text: str) -> str:
        """Return the longest run of a text's first words that stands here, if it is half of the text or more."""
        said = words(plain(text))
        for count in range(len(said), (len(said) - 1) // 2, -1):
            run = " ".join(said[:count])
            if len(run) > SHORT_CHARS_MAX and self._run(f" {run} ") is not None:
                return run
        return ""

    def _name(self, entity: Entity, place: Place) -> None:
        if entity.kind is Kind.DATE:
            self._days.setdefault(entity.value, place)
        else:
            self._named.setdefault(entity, place)

    def _entity(self, entity: Entity) -> Place | None:
        if entity.kind is not Kind.DATE:
            return self._named.get(entity)
        exact = self._days.get(entity.value)
        return exact or self._days.get(entities.ANY_YEAR + entity.value[4:])

    def _prose(self, text: str) -> Place | None:
        said = words(text)
        if len(said) > RUN_WORDS_MAX and not self._is_prose:
            return None
        length = sum(map(len, said))
        if length < SHORT_CHARS_MAX or (length == SHORT_CHARS_MAX and not text.strip().isalpha()):
            return self._marked(text.strip())
        return self._run(f" {' '.join(said)} ")

    def _run(self, said: str) -> Place | None:
        if not said.strip() or not self._words.issuperset(said.split()):
            return None
        if len(self._joined) < self._length:
            self._joined = "".join(f"{text}\n" for text in self._said)
        at = self._joined.find(said)
        return self._places[bisect_right(self._starts, at) - 1] if at >= 0 else None

    def _marked(self, text: str) -> Place | None:
        """Return where a short value stands in quotes, or behind a word that says that it is an id."""
        if not text or not self._is_prose:
            return None
        pattern = re.compile(rf"(?:[{_QUOTES}]|{_MARK}[{_QUOTES}]?){re.escape(text)}(?![\w.,]\w|\w)")
        found = (index for index, raw in enumerate(self._raw) if text in raw and pattern.search(raw))
        index = next(found, None)
        return self._places[index] if index is not None else None


def _reading(text: str) -> tuple[tuple[Entity, ...], str]:
    return tuple(entities.entities(text)), framed(text)


_read = lru_cache(maxsize=8_192)(_reading)


def _exact(text: str) -> str:
    return " ".join(text.split())


def is_short(value: Any) -> bool:
    """Whether a value has so few letters and digits that it may stand for several things."""
    return sum(map(len, words(plain(str(value))))) <= SHORT_CHARS_MAX


def _is_short(entity: Entity) -> bool:
    """Whether a number is so short that it stands in many texts by chance."""
    return entity.kind is Kind.NUMBER and len(entity.value.lstrip("-").replace(".", "")) <= SHORT_CHARS_MAX
