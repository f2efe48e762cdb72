"""Where phrases stand in a text, and which signs they make together. Time is linear in the text."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

from airside.guards.injection.rules.lexicon import Phrase
from airside.guards.injection.rules.signals import SIGNALS, Signal

HITS_MAX: Final = 400  # phrases in one window; natural texts have a fifth
QUOTED_FROM: Final = 12  # characters that stand before a quotation
QUOTED_AFTER: Final = 25  # characters within which it ends
_QUOTES: Final = frozenset("'\"`‘’“”„«»「」『』")
_FREE_ORDER: Final = frozenset({"de", "ja", "zh"})  # the verb may stand behind what it governs
_ENDS: Final = (". ", "! ", "? ", "。", "！", "？", "\n\n", ".\n", "!\n", "?\n")
_NOT: Final = (
    *("do not ", "don't ", "dont ", "never ", "not to ", "cannot ", "can't ", "n't ", "not ", "nicht ", "niemals "),
    *("ne ", "jamais ", "nunca ", "não ", "non ", "mai ", "не ", "никогда ", "لا "),
    *("不要", "不得", "不能", "不会", "别", "请勿", "切勿"),
)
_QUOTABLE: Final = frozenset({"override", "undo", "own_rules", "leak", "show", "become", "unbound", "mode", "enable"})
_NEGATABLE: Final = frozenset({"override", "undo", "leak", "show", "enable"})


Hit = tuple[int, int, int, str]
"""A phrase in a text: its start, its end, its number, and its language. A tuple, as hostile texts have many."""


class Sign(NamedTuple):
    """A signal in a text, with the phrases that made it."""

    signal: Signal
    start: int
    end: int
    language: str
    quoted: bool
    """Whether it stands between quotation marks, in a text that says more."""


class Window(NamedTuple):
    """What stands in one window of a text."""

    signs: Sequence[Sign]
    talk: int
    """How many different phrases say that the text is about attacks, or asks about something."""
    flooded: bool
    """Whether it holds more phrases than are looked at."""


class Spotter:
    """Finds signs. Made once; its phrases do not change."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        texts = [phrase.text for phrase in phrases]
        self._automaton = AhoCorasick(texts, implementation=Implementation.ContiguousNFA)
        self._whole = [(phrase.open_start, phrase.open_end, phrase.senses) for phrase in phrases]

    def window(self, text: str) -> Window:
        """Return the signs of a short text."""
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        flooded = len(found) > HITS_MAX
        places = self._places(text, found[:HITS_MAX])
        signs = [
            sign
            for first, hits in places.items()
            for signal in _BY_FIRST.get(first, ())
            for sign in (_alone(signal, hits, text) if signal.second is None else _pair(signal, places, text))
        ]
        return Window(signs, len({index for _, _, index, _ in places.get("talk", ())}), flooded)

    def _places(self, text: str, found: Sequence[tuple[int, int, int]]) -> dict[str, list[Hit]]:
        """Return by concept where whole phrases stand, in their order."""
        places: dict[str, list[Hit]] = {}
        size = len(text)
        for index, start, end in sorted(found, key=_start):
            open_start, open_end, senses = self._whole[index]
            if not open_start and start and text[start - 1].isalnum():
                continue
            if not open_end and end < size and text[end].isalnum():
                continue
            for concept, language in senses:
                hit = (start, end, index, language)
                if concept in places:
                    places[concept].append(hit)
                else:
                    places[concept] = [hit]
        return places


def _start(found: tuple[int, int, int]) -> int:
    return found[1]


def _by_first() -> dict[str, tuple[Signal, ...]]:
    first: dict[str, list[Signal]] = {}
    for signal in SIGNALS:
        first.setdefault(signal.first, []).append(signal)
    return {concept: tuple(signals) for concept, signals in first.items()}


_BY_FIRST: Final = _by_first()


def _alone(signal: Signal, hits: Sequence[Hit], text: str) -> Iterator[Sign]:
    """Yield a sign that one phrase makes, for each different phrase, as often as it counts."""
    seen: set[int] = set()
    for start, end, index, language in hits:
        if index not in seen:
            seen.add(index)
            yield Sign(signal, start, end, language, _quoted(signal, text, start, end))
            if len(seen) == signal.times:
                return


def _pair(signal: Signal, places: Mapping[str, Sequence[Hit]], text: str) -> Iterator[Sign]:
    """Yield the first place where two phrases make a sign."""
    hits, others = places[signal.first], places.get(signal.second or "")
    if not others or min(len(hits), len(others)) < signal.least:
        return
    starts = [other[0] for other in others]
    for hit in hits:
        other = _near(signal, hit, others, starts, text)
        if other is not None:
            start, end = min(hit[0], other[0]), max(hit[1], other[1])
            yield Sign(signal, start, end, _language(hit, other), _quoted(signal, text, start, end))
            return


def _language(hit: Hit, other: Hit) -> str:
    return other[3] if hit[3] == "any" else hit[3]


def _near(signal: Signal, hit: Hit, others: Sequence[Hit], starts: Sequence[int], text: str) -> Hit | None:
    """Return a hit of the second concept near one of the first, if there is one that counts."""
    start, end, _, language = hit
    after = bisect_left(starts, end)
    found = None
    if after < len(others) and _together(signal, text, end, starts[after]):
        found = others[after]
    elif signal.across or language in _FREE_ORDER:
        before = bisect_left(starts, start) - 1
        if before >= 0 and _together(signal, text, others[before][1], start):
            found = others[before]
    negated = signal.first in _NEGATABLE and text[max(0, start - 10) : start].endswith(_NOT)
    return None if negated else found


def _together(signal: Signal, text: str, end: int, start: int) -> bool:
    """Return whether what ends and what starts there is near enough, and in one sentence where that counts."""
    if not 0 <= start - end <= signal.gap:
        return False
    between = text[end:start]
    return signal.across or not any(mark in between for mark in _ENDS)


def _quoted(signal: Signal, text: str, start: int, end: int) -> bool:
    """Return whether a span begins where a quotation begins, behind other words, and the quotation soon ends.

    What the model is told to say stands in quotation marks too, and counts in full.
    """
    if signal.first not in _QUOTABLE or start < QUOTED_FROM or text[start - 1] not in _QUOTES:
        return False
    return any(character in _QUOTES for character in text[end : end + QUOTED_AFTER])
