"""Many patterns over one text in linear time: keywords by Aho-Corasick, then RE2 where one stands, then a validator.

RE2 (Cox, "Regular Expression Matching in the Wild", 2010) never backtracks, so no text can make it slow.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import re2
from ahocorasick_rs import AhoCorasick
from msgspec import Struct

MATCHES_MAX: Final = 1_000  # per pattern and text


class Pattern(Struct, frozen=True, kw_only=True):
    """One thing to look for. `keywords` are casefolded; without any, the expression runs on every text.

    The expression is RE2's; its group named `found`, if it has one, is what was found, else the whole match. `check`
    has the last word: it is given what was found and the whole text with the place, and returns whether it counts.
    """

    rule: str
    expression: str
    keywords: tuple[str, ...] = ()
    check: Callable[["Match"], bool] | None = None
    ignore_case: bool = False


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
    """Patterns that are looked for together."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._always = [pattern for pattern in patterns if not pattern.keywords]
        self._by_keyword: dict[str, list[Pattern]] = {}
        for pattern in patterns:
            for keyword in pattern.keywords:
                self._by_keyword.setdefault(keyword, []).append(pattern)
        self._keywords = list(self._by_keyword)
        self._automaton = AhoCorasick(self._keywords)
        self._compiled = {pattern.rule: _compiled(pattern) for pattern in patterns}
        if len(self._compiled) != len(patterns):
            raise ValueError("two patterns have one name")

    def find(self, text: str) -> Iterator[Match]:
        """Yield what stands in a text, by pattern, at most MATCHES_MAX of each."""
        for pattern in self._due(text):
            expression = self._compiled[pattern.rule]
            group = expression.groupindex.get("found", 0)
            for match in islice(expression.finditer(text), MATCHES_MAX):
                found = Match(pattern, text, match.start(group), match.end(group))
                if pattern.check is None or pattern.check(found):
                    yield found

    def _due(self, text: str) -> list[Pattern]:
        due = {pattern.rule: pattern for pattern in self._always}
        hits = self._automaton.find_matches_as_indexes(text.casefold(), overlapping=True) if self._keywords else ()
        for index in {hit[0] for hit in hits}:
            due.update({pattern.rule: pattern for pattern in self._by_keyword[self._keywords[index]]})
        return list(due.values())


def _compiled(pattern: Pattern) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not pattern.ignore_case
    options.max_mem = 64 << 20
    return re2.compile(pattern.expression, options)
