"""What a rule of personal data has found in one reading of a text, and which of several that overlap stands."""

from bisect import bisect
from collections.abc import Iterable
from typing import NamedTuple


class Spotted(NamedTuple):
    """One find, in characters of the reading. `score` says how sure the rule is."""

    rule: str
    kind: str
    start: int
    end: int
    score: float = 1.0


def standing(spotted: Iterable[Spotted]) -> list[Spotted]:
    """Return finds that do not overlap, in their order: the surest stands, then the longest, then the first."""
    ranked = sorted(spotted, key=lambda one: (-one.score, one.start - one.end, one.start, one.rule))
    stand: list[Spotted] = []
    starts: list[int] = []
    for one in ranked:
        place = bisect(starts, one.start)
        behind = place and stand[place - 1].end > one.start
        if not behind and not (place < len(stand) and stand[place].start < one.end):
            starts.insert(place, one.start)
            stand.insert(place, one)
    return stand
