"""What attackers write, phrase by phrase: each phrase with what it does (its concept), in ten languages.

The phrases stand in `lexicons/LANGUAGE.txt`, one concept a line:

    whose = your | all | previous            a list of words, for use in braces
    law = instruction | instructions
    own_rules: {whose} {law} | all of the above

Every combination of a template is a phrase. A star at an end lets through words that go on there (`anweisung*`).
Phrases are sought in folded texts and are folded alike; each is also sought without its accents.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import product
from re import compile as expression
from typing import Final, NamedTuple

from msgspec import Struct

from airside.guards.normalise.readings import Readings, Vocabulary

LANGUAGES: Final = ("any", "en", "de", "fr", "es", "it", "pt", "ja", "zh", "ru", "ar")
_LIST = expression(r"^(\w+) = (.*)$")  # both over our own files only
_CONCEPT = expression(r"^(\w+): (.*)$")
_OPEN_FROM: Final = "\u2e80"  # scripts that set no spaces between words begin here


class Sense(NamedTuple):
    """What a phrase does, in which language."""

    concept: str
    language: str


class Phrase(Struct, frozen=True):
    """A phrase as it is sought. An open end may be followed, an open start preceded, by further letters."""

    text: str
    senses: tuple[Sense, ...]
    open_start: bool
    open_end: bool


@cache
def phrases() -> tuple[Phrase, ...]:
    """Return every phrase of every language, no two with the same text."""
    senses: dict[str, tuple[Sense, ...]] = {}
    starred: set[str] = set()
    for language in LANGUAGES:
        for concept, written in _declared(
            files(__package__).joinpath("lexicons", f"{language}.txt").read_text("utf-8")
        ):
            sense = (Sense(concept, language),)
            for marked in written:
                text = marked.strip("*")
                if text != marked:
                    starred.add(marked)
                known = senses.get(text)
                senses[text] = sense if known is None else known if sense[0] in known else known + sense
    return tuple(
        Phrase(
            text,
            found,
            _open(text[0], bool({f"*{text}", f"*{text}*"} & starred)),
            _open(text[-1], bool({f"{text}*", f"*{text}*"} & starred)),
        )
        for text, found in senses.items()
    )


@cache
def telling() -> Vocabulary:
    """Return the words whose disguise is worth looking through."""
    lines = files(__package__).joinpath("lexicons", "telling.txt").read_text("utf-8").splitlines()
    return Vocabulary(_folded([word for line in lines if not line.startswith("#") for word in line.split()[1:]]))


def _open(edge: str, star: bool) -> bool:
    return star or edge >= _OPEN_FROM or not edge.isalnum()


def _declared(source: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the concepts of a file, each with its phrases as they are sought; the stars are still on them."""
    lists: dict[str, list[str]] = {}
    for line in source.splitlines():
        if named := _LIST.match(line):
            lists[named[1]] = _expanded(named[2], lists)
        elif concept := _CONCEPT.match(line):
            yield concept[1], _folded(_expanded(concept[2], lists))
        elif line and not line.startswith("#"):
            raise ValueError(f"neither a list nor a concept: {line[:80]}")


def _expanded(written: str, lists: Mapping[str, Sequence[str]]) -> list[str]:
    expanded: list[str] = []
    for template in written.split(" | "):
        pieces = _pieces(template, lists)
        expanded += ("".join(chosen).strip() for chosen in product(*pieces))
    if inside := [text for text in expanded if "*" in text[1:-1]]:
        raise ValueError(f"a star stands inside a phrase: {inside[0]}")
    return expanded


def _pieces(template: str, lists: Mapping[str, Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield the parts of a template, each with what may stand there; braces that name no list are themselves."""
    rest = template
    for name in lists:
        mark = "{" + name + "}"
        if mark in rest:
            before, after = rest.split(mark, 1)
            yield from _pieces(before, lists)
            yield lists[name]
            yield from _pieces(after, lists)
            return
    yield (rest,)


def _folded(written: Sequence[str]) -> list[str]:
    """Return phrases as a folded text has them, as they are, and without accents."""
    lines = "\n".join(written)
    forms = [Readings(lines).folded.text, lines.casefold()]
    if not lines.isascii():
        letters = unicodedata.normalize("NFKD", forms[1])
        forms.append("".join(letter for letter in letters if not unicodedata.combining(letter)))
    found: dict[str, None] = {}
    for form in forms:
        split = form.split("\n")
        if len(split) != len(written):
            raise ValueError("folding joined two phrases")
        found.update(dict.fromkeys(split))
    return list(found)
