"""The words around a number that say what it is. Each word stands for topics; how near it must stand is fixed."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from ahocorasick_rs import AhoCorasick

BEFORE_CHARS: Final = 100
AFTER_CHARS: Final = 30
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WHOLE_CHARS: Final = 5
"""So short a word must stand alone; a longer one may begin a compound (`Steuernummer`)."""


def listed(*rows: str) -> tuple[str, ...]:
    """Return words written in rows, parted by `|`."""
    return tuple(word for row in rows for word in row.split("|"))


class Contexts:
    """Words with their topics, looked for before and shortly after a place."""

    def __init__(self, words: Iterable[tuple[str, str]]) -> None:
        """`words` are (word, topic), the words in any case."""
        topics: dict[str, set[str]] = {}
        for word, topic in words:
            topics.setdefault(word.casefold(), set()).add(topic)
        self._topics: Mapping[str, frozenset[str]] = {word: frozenset(found) for word, found in topics.items()}
        self._words = list(self._topics)
        self._automaton = AhoCorasick(self._words)

    def near(self, text: str, start: int, end: int) -> Mapping[str, int]:
        """Return the topics that are spoken of near [start, end), each with how far; what comes after is far."""
        before = _folded(text[max(start - BEFORE_CHARS, 0) : start])
        found = {topic: len(before) - until for topic, _, until in self._in(before)}
        for topic, begin, _ in self._in(_folded(text[end : end + AFTER_CHARS])):
            found.setdefault(topic, BEFORE_CHARS + begin)
        return found

    def places(self, text: str) -> Sequence[int] | None:
        """Return where the words stand, be it inside others, in order; None if that cannot be told in its places."""
        low = lowered(text)
        if low is None:
            return None
        return [begin for _, begin, _ in self._automaton.find_matches_as_indexes(low)]

    def _in(self, window: str) -> Iterator[tuple[str, int, int]]:
        for index, begin, until in self._automaton.find_matches_as_indexes(window, overlapping=True):
            if _stands(window, begin, until):
                for topic in self._topics[self._words[index]]:
                    yield topic, begin, until


def lowered(text: str) -> str | None:
    """Return a text in lower case, character by character, as an automaton takes it; None if it gets longer."""
    low = _searchable(text.lower())
    return low if len(low) == len(text) else None


def _folded(window: str) -> str:
    """Return a window without case, and without what the search cannot take."""
    folded = window.casefold().replace("_", " ")
    return folded if folded.isascii() else _searchable(folded)


def _searchable(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("?", text)
    return text


def _stands(window: str, begin: int, until: int) -> bool:
    """Whether a word stands for itself, not by chance inside another."""
    if not _spaced(window[begin]):
        return True
    if begin and window[begin - 1].isalpha() and _spaced(window[begin - 1]):
        return False
    if until - begin > _WHOLE_CHARS or until == len(window):
        return True
    return not (window[until].isalpha() and _spaced(window[until]))


def _spaced(char: str) -> bool:
    """Whether a character is of a script that puts spaces between words."""
    return char.isascii() or unicodedata.name(char, "").startswith(("LATIN", "CYRILLIC", "GREEK"))


def near_any(places: Sequence[int] | None, start: int, end: int) -> bool:
    """Whether a word at one of these places can be near [start, end)."""
    if places is None:
        return True
    first = bisect_left(places, start - BEFORE_CHARS)
    return first < len(places) and places[first] < end + AFTER_CHARS
