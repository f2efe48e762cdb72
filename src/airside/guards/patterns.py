"""Many patterns over one text in linear time: keywords by Aho-Corasick, then RE2 where one stands, then a validator.

RE2 (Cox, "Regular Expression Matching in the Wild", 2010) never backtracks, so no text can make it slow. Everything is
searched in UTF-8, once encoded for all sets, and only what matches is mapped back to characters.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import re2
from ahocorasick_rs import BytesAhoCorasick, Implementation
from msgspec import Struct

from airside.guards.normalise.reading import Reading

MATCHES_MAX: Final = 1_000  # per pattern and text, of those that pass the check
CANDIDATES_MAX: Final = 10_000  # per pattern and text, before the check
PROGRAM_BYTES_MAX: Final = 64 << 20  # memory of one compiled expression
_DENSE: Final = 4_096  # hits in a stretch past which single hits are not told apart any more
_STRETCH: Final = 65_536  # bytes that keywords are looked for in at a time


class Pattern(Struct, frozen=True, kw_only=True):
    """One thing to look for. `keywords` are casefolded; without any, the expression runs on every text.

    The expression is RE2's; its group named `found`, if it has one and it matched, is what was found, else the whole
    match. `reach` is how many characters before and after a keyword a match can stand: with it, only there is looked,
    else the whole text. `check` has the last word: it is given what was found and the whole text with the place, and
    returns whether it counts.
    """

    rule: str
    expression: str
    keywords: tuple[str, ...] = ()
    check: Callable[["Match"], bool] | None = None
    ignore_case: bool = False
    reach: int | None = None


class Match(NamedTuple):
    """One match of a pattern, in characters of the text that was searched."""

    pattern: Pattern
    text: str
    start: int
    end: int

    @property
    def found(self) -> str:
        """The matched characters."""
        return self.text[self.start : self.end]


class PatternSet:
    """Patterns that are looked for together. Raises ValueError for two patterns of one name.

    Expressions are compiled when first needed (100 µs each): `compile` does all, and raises for those that RE2 refuses.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._searches = [_Search(pattern) for pattern in patterns]
        if len({pattern.rule for pattern in patterns}) != len(patterns):
            raise ValueError("two patterns have one name")
        self._always = [search for search in self._searches if not search.pattern.keywords]
        by_keyword: dict[bytes, list[_Search]] = {}
        for search in self._searches:
            for keyword in search.pattern.keywords:
                by_keyword.setdefault(keyword.casefold().encode("utf-8", "replace"), []).append(search)
        self._by_keyword = list(by_keyword.values())
        self._longest = max(map(len, by_keyword), default=0)
        self._automaton = BytesAhoCorasick(list(by_keyword), implementation=Implementation.ContiguousNFA)

    def compile(self) -> None:
        """Compile every expression; raises `re2.error` for one that RE2 refuses."""
        for search in self._searches:
            search.expression  # noqa: B018 - asked for its effect

    def find(self, text: str | Reading) -> Iterator[Match]:
        """Yield what stands in a text, by pattern, at most MATCHES_MAX of each.

        A `Reading` keeps its encoded form, so that several sets may search it at the price of one.
        """
        reading = text if isinstance(text, Reading) else Reading(text)
        for search, windows in self._due(reading):
            yield from search.matches(reading, windows)

    def _due(self, reading: Reading) -> Iterator[tuple["_Search", "_Windows"]]:
        for search in self._always:
            yield search, None
        if not self._by_keyword:
            return
        near: dict[_Search, list[tuple[int, int]] | None] = {}
        for keyword, start, end in self._hits(reading.lowered):
            for search in self._by_keyword[keyword]:
                if search.pattern.reach is None:
                    near[search] = None
                else:
                    spans = near.setdefault(search, [])
                    if spans is not None:
                        spans.append((start, end))
        aligned = _Aligned(reading) if near else None
        for search, spans in near.items():
            if spans is None or aligned is None or not aligned.exact:
                yield search, None
            else:
                yield search, aligned.windows(spans, search.pattern.reach or 0)

    def _hits(self, lowered: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield keywords and where they stand, in bytes; in a stretch with very many, each once for the whole of it."""
        step = max(_STRETCH, 4 * self._longest)
        for at in range(0, len(lowered), step):
            stretch = lowered[at : at + step + self._longest] if len(lowered) > step else lowered
            hits = self._automaton.find_matches_as_indexes(stretch, overlapping=True)
            if len(hits) > _DENSE:
                for keyword in {hit[0] for hit in hits}:
                    yield keyword, at, at + len(stretch)
            elif at:
                for keyword, start, end in hits:
                    yield keyword, at + start, at + end
            else:
                yield from hits


_Windows = list[tuple[int, int]] | None
"""Where to search, in bytes; None: everywhere."""


class _Search:
    """A pattern, ready to be searched for."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    @cached_property
    def expression(self) -> Any:
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not self.pattern.ignore_case
        options.max_mem = PROGRAM_BYTES_MAX
        return re2.compile(self.pattern.expression, options)

    @cached_property
    def group(self) -> int:
        return int(self.expression.groupindex.get("found", 0))

    def matches(self, reading: Reading, windows: _Windows) -> Iterator[Match]:
        """Yield what stands in the windows of a reading and passes the check."""
        pattern, text = self.pattern, reading.text
        encoded = reading.encoded
        counted = None if len(encoded) == len(text) else _Counted(encoded)
        candidates, left = CANDIDATES_MAX, MATCHES_MAX
        for begin, until in [(0, len(encoded))] if windows is None else windows:
            for match in self.expression.finditer(encoded, begin, until):
                start, end = match.span(self.group)
                if start < 0:
                    start, end = match.span()
                if counted is not None:
                    start, end = counted.characters(start, end)
                found = Match(pattern, text, start, end)
                if pattern.check is None or pattern.check(found):
                    left -= 1
                    yield found
                candidates -= 1
                if not left or not candidates:
                    return


class _Counted:
    """Bytes to characters, for offsets that rarely go back."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._byte = self._character = 0

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters at which bytes [start, end) begin and end."""
        if start < self._byte:
            self._byte = self._character = 0
        self._character += _width(self._encoded[self._byte : start])
        self._byte = start
        return self._character, self._character + _width(self._encoded[start:end])


def _width(data: bytes) -> int:
    return len(data) if data.isascii() else len(data.decode("utf-8", "replace"))


class _Aligned:
    """From bytes of the casefolded form to bytes of the form; `exact` if casefolding kept the number of characters."""

    def __init__(self, reading: Reading) -> None:
        self._text = reading.text
        self._encoded, self._lowered = reading.encoded, reading.lowered
        self._same = len(self._encoded) == len(self._text)
        self.exact = self._same or len(self._lowered.decode("utf-8", "replace")) == len(self._text)

    def windows(self, spans: Sequence[tuple[int, int]], reach: int) -> list[tuple[int, int]]:
        """Return stretches of the form, apart and in order, that hold each span and its reach."""
        ends = len(self._text)
        counted = None if self._same else _Counted(self._lowered)
        merged: list[tuple[int, int]] = []
        for begin, until in sorted(spans):
            start, end = (begin, until) if counted is None else counted.characters(begin, until)
            start, end = max(0, start - reach), min(ends, end + reach)
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged if self._same else self._bytes(merged)

    def _bytes(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        character = byte = 0
        for start, end in windows:
            begin = byte + len(self._text[character:start].encode("utf-8", "replace"))
            byte = begin + len(self._text[start:end].encode("utf-8", "replace"))
            character = end
            found.append((begin, byte))
        return found
