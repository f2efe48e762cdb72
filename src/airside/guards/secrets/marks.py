"""Keys that show what they are: one automaton finds where they may begin, then each place is looked at closely."""

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import re2
from ahocorasick_rs import AhoCorasick, Implementation

from airside.guards.secrets import harmless
from airside.guards.secrets.beginnings import begins
from airside.guards.secrets.formats import AROUND, TOKENS
from airside.guards.secrets.formats.form import Around, Token
from airside.guards.secrets.hit import Hit, Rank
from airside.guards.secrets.shape import entropy
from airside.guards.secrets.structures import MARKS

REACH_CHARS: Final = 4_200  # the longest token of a provider
_NEAR_CHARS: Final = 330
_BEHIND_CHARS: Final = 100
_UNSURE: Final = 0.8  # a token whose checksum does not fit
_SURE: Final = 0.95
_PART_CHARS: Final = 16_384  # that marks are looked for in at a time
_STUB_CHARS: Final = 6  # every key goes on for longer than that behind its prefix, without a space
_ENTROPY_MIN: Final = 3.0  # bits per character, of what follows a prefix
_COUNTS: Final = re.compile(r"([0-9]+)}")
_USED: Final = frozenset("=:\"'`(>")


_Look = Callable[[str, int], Iterator[Hit]]


def found(text: str) -> Iterator[Hit]:
    """Yield the keys in a text that show what they are."""
    before = [-2] * len(_MARKS)
    for index, at in _places(text):
        again, before[index] = before[index] + 1 == at, at
        if not again:  # a mark at each character of a run of one letter: what begins, begins with the run
            for look in _LOOKS[index]:
                yield from look(text, at)


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Yield marks and where they stand; part by part, since a list of all in a long text would not fit in caches."""
    for begin in range(0, len(text), _PART_CHARS):
        part = text[begin : begin + _PART_CHARS + _LONGEST]
        for index, at, _ in _AUTOMATON.find_matches_as_indexes(part, overlapping=True):
            if at < _PART_CHARS:
                yield index, begin + at


def _token(token: Token, prefix: str) -> _Look:
    size = len(prefix)
    expression = rf"({re2.escape(prefix)}{token.body})(?:[^A-Za-z0-9_]|$)"
    reach = _reach(token.body)

    def look(text: str, at: int) -> Iterator[Hit]:
        stub = text[at + size : at + size + _STUB_CHARS]
        if " " in stub or not stub.isprintable() or not begins(text, at):
            return
        match = _compiled(expression).match(text[at : at + reach])
        if match is None:
            return
        value = match.group(1)
        if entropy(value[size:]) < min(_ENTROPY_MIN, 0.7 * math.log2(len(value) - size)) or (
            token.check is not None and not token.check(value)
        ):
            return
        if _stands_for(value, size) or (token.public and _USED.isdisjoint(text[max(0, at - 40) : at])):
            return
        skip = size if prefix.endswith("=") else 0  # a name, not part of the key
        score = _UNSURE if token.sure is not None and not token.sure(value[skip:]) else _SURE
        yield Hit(token.rule, "SECRET", at + skip, at + len(value), score, Rank.TOKEN)

    return look


def _stands_for(value: str, size: int) -> bool:
    low = value.lower()
    return (
        "example" in low or "xxxx" in low or "****" in low or "...." in low or "placeholder" in low or "your" in low
    ) or harmless.monotonous(value[size:], 0.8)


def _around(around: Around) -> _Look:
    expression = rf"(?:^|[^A-Za-z0-9])({around.body})(?:[^A-Za-z0-9_]|$)"

    def look(text: str, at: int) -> Iterator[Hit]:
        begin = max(0, at - _BEHIND_CHARS)
        for match in _compiled(expression).finditer(text[begin : at + _NEAR_CHARS]):
            start, end = begin + match.start(1), begin + match.end(1)
            if start <= at < end and begins(text, start) and not harmless.placeholder(text[start:end]):
                yield Hit(around.rule, "SECRET", start, end, _SURE, Rank.TOKEN)

    return look


def _reach(body: str) -> int:
    """Return how many characters a key of this form has at most, with room for its prefix."""
    if ",}" in body:
        return REACH_CHARS
    return 64 + 2 * sum(int(most) for most in _COUNTS.findall(body))


@cache
def _compiled(expression: str) -> Any:
    """Return an expression, compiled when it is first needed: most of them never are."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(expression, options)


def _all() -> tuple[list[str], list[list[_Look]]]:
    looks: dict[str, list[_Look]] = {}
    for token in TOKENS:
        for prefix in token.prefixes:
            looks.setdefault(prefix, []).append(_token(token, prefix))
    for around in AROUND:
        for mark in around.marks:
            looks.setdefault(mark, []).append(_around(around))
    for mark, look in MARKS.items():
        looks.setdefault(mark, []).append(look)
    return list(looks), list(looks.values())


_MARKS, _LOOKS = _all()
_LONGEST: Final = max(map(len, _MARKS))
_AUTOMATON: Final = AhoCorasick(_MARKS, implementation=Implementation.DFA)
