"""The detector of secrets: keys that show what they are, and values whose names tell."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Reading, Readings
from airside.guards.secrets import heads, marks, named
from airside.guards.secrets.hit import Hit, Rank

_DISGUISES: Final = frozenset({"rot13", "reversed", "leet"})
"""What turns ordinary words into what looks drawn at random: only keys of a form of their own are believed there."""

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class Secrets:
    """Finds credentials. Kinds are SECRET, PRIVATE_KEY and JWT; the rule says whose key it is."""

    guard = Guard.SECRETS
    places = frozenset(Place)

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return the secrets of a text, each once, by the rule that knows it best."""
        if place not in self.places:
            return ()
        found = [finding for reading in readings.texts for finding in _findings(reading)]
        return found if len(found) < 2 else _apart(found)


def detector() -> Secrets:
    """Return the detector of secrets."""
    return Secrets()


def _findings(reading: Reading) -> Iterator[Finding]:
    text = reading.text if reading.text.isascii() else _SURROGATES.sub("\ufffd", reading.text)
    for hit in best(hits(text)):
        if hit.rank < Rank.TOKEN and not _DISGUISES.isdisjoint(reading.via):
            continue
        start, end = reading.span(hit.start, hit.end)
        yield Finding(
            guard=Guard.SECRETS, rule=hit.rule, kind=hit.kind, start=start, end=end, score=hit.score, via=reading.via
        )


def hits(text: str) -> Iterator[Hit]:
    """Yield everything that any rule finds in a text."""
    yield from marks.found(text)
    for head in heads.heads(text):
        verdict = named.judge(head)
        if verdict is not None:
            yield Hit(verdict.rule, "SECRET", head.start, head.end, verdict.score, verdict.rank)


def best(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits in order, without those that lie in one that ranks higher or in a longer one that ranks the same."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, -hit.rank, -hit.score)):
        if kept and _covers(kept[-1], hit):
            continue
        while kept and _covers(hit, kept[-1]):
            kept.pop()
        kept.append(hit)
    return kept


def _covers(better: Hit, hit: Hit) -> bool:
    if better.rank < hit.rank or better.end <= hit.start or hit.end <= better.start:
        return False
    if better.rank == hit.rank:
        return better.start <= hit.start and hit.end <= better.end
    if better.rank is Rank.BLOCK:
        return better.start <= hit.start and hit.end <= better.end
    return (min(better.end, hit.end) - max(better.start, hit.start)) * 2 > hit.end - hit.start


def _apart(found: list[Finding]) -> list[Finding]:
    """Leave out what another form of the text showed too."""
    seen: dict[tuple[int, int], Finding] = {}
    for finding in found:
        seen.setdefault((finding.start, finding.end), finding)
    return list(seen.values())
