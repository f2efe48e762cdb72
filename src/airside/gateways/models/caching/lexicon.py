"""The words by which questions are compared, from `lexicon.txt`: function words, quantities, units, synonyms.

A row of `same` holds words that may stand for one another in a question; no row holds opposites. What is not there is
not equal: an unknown word only ever equals itself (see `verifier`), so that a gap costs a hit and never makes a false
one.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType


def _sections() -> Mapping[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    text = (files("airside.gateways.models.caching") / "lexicon.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            rows = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            rows.append(line.split())
    return found


_LISTS = _sections()


def _words(name: str) -> frozenset[str]:
    return frozenset(word for row in _LISTS[name] for word in row)


def _first_of_row(name: str) -> Mapping[str, str]:
    """Return every word of every row with the row's first word; a word's first row counts."""
    found: dict[str, str] = {}
    for row in _LISTS[name]:
        for word in row:
            found.setdefault(word, row[0])
    return MappingProxyType(found)


LIGHT = _words("light")
"""Words that carry no part of the question by themselves; question words, modality and tense are read apart."""

PALE_VERBS = _words("pale_verbs")
"""Verbs that may be missing on one side, but not stand against another: to get a visa is not to use one."""

NEGATIONS = _words("negations")
QUANTIFIERS = _words("quantifiers")
CALENDAR = _words("calendar")
THIRD_PERSONS = _words("third")

DIRECTIONS = _words("directions")
STRICT_DIRECTIONS = _words("strict_directions")
"""Words of place and time that must agree as a set, whatever they are attached to."""

WEAK = _words("weak")
"""Prepositions whose phrase may stand anywhere in a question."""

AUXILIARIES = _words("auxiliaries")
DEGREES = _words("degrees")
"""Words that make a question of degree out of `how`."""

ENGLISH = _words("english")
OTHER_LANGUAGES = _words("other_languages")

UNITS = _first_of_row("units")
NUMBER_WORDS: Mapping[str, int] = {row[1]: int(row[0]) for row in _LISTS["number_words"]}
SAME = _first_of_row("same")
"""A word and the one that stands for all of its row."""
