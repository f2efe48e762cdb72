"""Finds injection and jailbreaks by signs that add up, in the text as it reads and in what is hidden in it."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from airside.guards.finding import FOREIGN, Finding, Guard, Place
from airside.guards.injection.rules.lexicon import phrases, telling
from airside.guards.injection.rules.spotting import Sign, Spotter, Window
from airside.guards.normalise.readings import Reading, Readings

WINDOW: Final = 4_000  # characters whose signs add up
OVERLAP: Final = 400
FINDINGS_MAX: Final = 20  # of one reading
THRESHOLD: Final = 0.5
_FLOOD_SCORE: Final = 0.55
_TALK: Final = (1.0, 0.9, 0.8, 0.75, 0.7)  # what is left of a score when so many phrases talk about, not to
_QUOTED: Final = 0.5  # what is left of a sign that is quoted


class Rules:
    """The detector. Its phrases are read when it is first made."""

    guard = Guard.INJECTION
    places = FOREIGN

    def __init__(self) -> None:
        self._spotter = _spotter()
        self._telling = telling()

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return one finding for each window in which signs add up to an attack, and for each hidden part with one."""
        known: dict[tuple[str, int, int], Finding] = {}
        for form in (*readings.folds, *readings.disguised(self._telling)):
            for finding in self._findings(form, place):
                known.setdefault((finding.rule, finding.start, finding.end), finding)
        return list(known.values())

    def _findings(self, reading: Reading, place: Place) -> Iterator[Finding]:
        text = _seekable(reading.text)
        count = 0
        for begin in range(0, max(len(text) - OVERLAP, 1), WINDOW - OVERLAP):
            window = self._spotter.window(text[begin : begin + WINDOW])
            finding = judged(window, place)
            if finding is None:
                continue
            rule, score, start, end = finding
            start, end = reading.span(begin + start, begin + end)
            yield Finding(
                guard=Guard.INJECTION, rule=rule, kind=rule, start=start, end=end, score=score, via=reading.via
            )
            count += 1
            if count == FINDINGS_MAX:
                return


def judged(window: Window, place: Place) -> tuple[str, float, int, int] | None:
    """Return rule, score and span of what the signs of a window add up to; None if that is too little."""
    if not window.signs:
        return ("flood.any", _FLOOD_SCORE, 0, 1) if window.flooded else None
    left = 1.0
    for sign in window.signs:
        left *= 1.0 - _weight(sign, place)
    score = (1.0 - left) * _TALK[min(window.talk, len(_TALK) - 1)]
    if window.flooded:
        score = max(score, _FLOOD_SCORE)
    if score < THRESHOLD:
        return None
    strongest = max(window.signs, key=lambda sign: _weight(sign, place))
    counted = [sign for sign in window.signs if _weight(sign, place) * 2 >= _weight(strongest, place)]
    start, end = min(sign.start for sign in counted), max(sign.end for sign in counted)
    return f"{strongest.signal.family}.{strongest.language}", round(score, 3), start, end


def _weight(sign: Sign, place: Place) -> float:
    weight = sign.signal.user if place is Place.USER else sign.signal.foreign
    return weight * _QUOTED if sign.quoted else weight


def _seekable(text: str) -> str:
    """Return a text of the same length that holds no half of a character: the automaton reads UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


@cache
def _spotter() -> Spotter:
    return Spotter(phrases())
