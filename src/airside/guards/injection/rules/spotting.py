"""Where phrases stand in a text, and which signs they make together. Time is linear in the text."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick

from airside.guards.injection.rules.lexicon import Phrase
from airside.guards.injection.rules.signals import SIGNALS, Signal

HITS_MAX: Final = 600  # phrases in one window; natural texts have a tenth
PAIRS_MAX: Final = 40  # places looked at for one sign in one window
QUOTED_FROM: Final = 12  # characters that stand before a quotation
QUOTED_AFTER: Final = 25  # characters within which it ends
_QUOTES: Final = frozenset("'\"`‘’“”„«»「」『』")
_FREE_ORDER: Final = frozenset({"de", "ja", "zh"})  # the verb may stand behind what it governs
_ENDS: Final = (". ", "! ", "? ", "。", "！", "？", "\n\n", ".\n", "!\n", "?\n")
_NOT: Final = (
    *(
        "do not ",
        "don't ",
        "dont ",
        "never ",
        "not to ",
        "cannot ",
        "can't ",
        "must not ",
        "should not ",
        "n't ",
        "not ",
    ),
    *("nicht ", "niemals ", "ne ", "jamais ", "nunca ", "não ", "non ", "mai ", "не ", "никогда ", "لا "),
    *("不要", "不得", "不能", "不会", "别", "请勿", "切勿"),
)
_NEGATABLE: Final = frozenset({"override", "undo", "leak", "show", "enable"})


class Hit(NamedTuple):
    """A phrase in a text."""

    start: int
    end: int
    phrase: int
    language: str


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
        self._phrases = phrases
        self._automaton = AhoCorasick([phrase.text for phrase in phrases])

    def window(self, text: str) -> Window:
        """Return the signs of a short text."""
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        flooded = len(found) > HITS_MAX
        places = self._places(text, found[:HITS_MAX])
        signs = [
            sign for first in places for signal in _BY_FIRST.get(first, ()) for sign in _signs(signal, places, text)
        ]
        return Window(signs, len({hit.phrase for hit in places.get("talk", ())}), flooded)

    def _places(self, text: str, found: Sequence[tuple[int, int, int]]) -> dict[str, list[Hit]]:
        """Return by concept where whole phrases stand, in their order."""
        places: dict[str, list[Hit]] = {}
        size = len(text)
        for index, start, end in sorted(found, key=_start):
            phrase = self._phrases[index]
            if not phrase.open_start and start and text[start - 1].isalnum():
                continue
            if not phrase.open_end and end < size and text[end].isalnum():
                continue
            for sense in phrase.senses:
                places.setdefault(sense.concept, []).append(Hit(start, end, index, sense.language))
        return places


def _start(found: tuple[int, int, int]) -> int:
    return found[1]


def _by_first() -> dict[str, tuple[Signal, ...]]:
    first: dict[str, list[Signal]] = {}
    for signal in SIGNALS:
        first.setdefault(signal.first, []).append(signal)
    return {concept: tuple(signals) for concept, signals in first.items()}


_BY_FIRST: Final = _by_first()


def _signs(signal: Signal, places: dict[str, list[Hit]], text: str) -> Iterator[Sign]:
    hits = places[signal.first][:PAIRS_MAX]
    if signal.second is None:
        different = {hit.phrase: hit for hit in reversed(hits)}
        for hit in list(different.values())[: signal.times]:
            yield Sign(signal, hit.start, hit.end, hit.language, _quoted(text, hit.start, hit.end))
        return
    others = places.get(signal.second)
    if not others or min(len(hits), len(others)) < signal.least:
        return
    starts = [other.start for other in others]
    for hit in hits:
        other = _near(signal, hit, others, starts, text)
        if other is not None:
            language = other.language if hit.language == "any" else hit.language
            start, end = min(hit.start, other.start), max(hit.end, other.end)
            yield Sign(signal, start, end, language, _quoted(text, start, end))
            return


def _near(signal: Signal, hit: Hit, others: Sequence[Hit], starts: Sequence[int], text: str) -> Hit | None:
    """Return a hit of the second concept near one of the first, if there is one that counts."""
    if signal.first in _NEGATABLE and text[max(0, hit.start - 10) : hit.start].endswith(_NOT):
        return None
    after = bisect_left(starts, hit.end)
    if after < len(others) and _together(signal, text, hit.end, others[after].start):
        return others[after]
    before = bisect_left(starts, hit.start) - 1
    free = signal.across or hit.language in _FREE_ORDER
    if free and before >= 0 and _together(signal, text, others[before].end, hit.start):
        return others[before]
    return None


def _together(signal: Signal, text: str, end: int, start: int) -> bool:
    """Return whether what ends and what starts there is near enough, and in one sentence where that counts."""
    if not 0 <= start - end <= signal.gap:
        return False
    between = text[end:start]
    return signal.across or not any(mark in between for mark in _ENDS)


def _quoted(text: str, start: int, end: int) -> bool:
    """Return whether a span begins where a quotation begins, behind other words, and the quotation soon ends."""
    if start < QUOTED_FROM or text[start - 1] not in _QUOTES:
        return False
    return any(character in _QUOTES for character in text[end : end + QUOTED_AFTER])
