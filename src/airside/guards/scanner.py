"""Asks every detector about a text, once: findings are remembered under a keyed hash of the text."""

import asyncio
from collections.abc import Container, Iterable, Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

from airside.core.errors import AirsideError, Code
from airside.core.lru import Lru
from airside.guards.detector import Detector
from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings

OFF_LOOP_BYTES: Final = 32_768
FINDINGS_MAX: Final = 48
"""A text with more findings is scanned again: what is remembered is bounded in bytes, too."""

_TURN_BYTES: Final = 16_384
_FINDING_BYTES: Final = 64  # of text that cost about what follows from a finding


class Scanner:
    """Finds what all detectors find. Findings hold no text, so that what is remembered belongs to no tenant."""

    def __init__(self, detectors: Sequence[Detector], *, text_bytes_max: int, verdicts_max: int) -> None:
        self._at = {place: [detector for detector in detectors if place in detector.places] for place in Place}
        self._text_bytes_max = text_bytes_max
        self._known: Lru[bytes, tuple[Finding, ...]] = Lru(verdicts_max)
        self._key = token_bytes(32)
        self._since = 0  # bytes scanned on the loop since others had their turn

    def remembered(self, text: str, place: Place) -> tuple[Finding, ...] | None:
        """Return what was found in a text when it was scanned before; None if it was not, or long ago."""
        return self._known.get(self._name(text.encode("utf-8", "surrogatepass"), place))

    async def scan(self, text: str, place: Place) -> tuple[Finding, ...]:
        """Return what stands in a text, by place in it; raises `limit_exceeded` for one that is too long."""
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > self._text_bytes_max:
            raise AirsideError(
                Code.LIMIT_EXCEEDED,
                f"a text of {len(data)} bytes cannot be guarded; guards.text_bytes_max is {self._text_bytes_max}",
            )
        name = self._name(data, place)
        known = self._known.get(name)
        if known is None:
            if len(data) > OFF_LOOP_BYTES:
                known = await asyncio.to_thread(self.scan_now, text, place)
            else:
                known = self.scan_now(text, place)
                await self._others(len(data) + _FINDING_BYTES * len(known))
            if len(known) <= FINDINGS_MAX:
                self._known.put(name, known)
        return known

    async def _others(self, scanned: int) -> None:
        """Let other calls go on now and then: one request may have thousands of texts that are scanned on the loop."""
        self._since += scanned
        if self._since > _TURN_BYTES:
            self._since = 0
            await asyncio.sleep(0)

    def scan_now(self, text: str, place: Place, only: Container[Guard] = frozenset(Guard)) -> tuple[Finding, ...]:
        """Return what `only` these guards find in a text, neither remembered nor looked up."""
        readings = Readings(text)
        asked = [detector for detector in self._at[place] if detector.guard in only]
        found = [finding for detector in asked for finding in detector.find(readings, place)]
        return tuple(sorted(_once(found), key=lambda finding: (finding.start, -finding.end)))

    def _name(self, data: bytes, place: Place) -> bytes:
        return blake2b(data, key=self._key, digest_size=24, person=place.value.encode()).digest()


def _once(found: Sequence[Finding]) -> Iterable[Finding]:
    """Return findings without those that another form of the text showed first, unless the later is surer."""
    if len(found) < 2:
        return found
    best: dict[tuple[Guard, str, int, int], Finding] = {}
    for finding in found:
        name = (finding.guard, finding.rule, finding.start, finding.end)
        known = best.get(name)
        if known is None or finding.score > known.score:
            best[name] = finding
    return best.values()
