"""The port of a detector: a pure function from a text, read in all its forms, to findings."""

from collections.abc import Sequence
from typing import Protocol

from airside.guards.finding import Finding, Guard, Place
from airside.guards.normalise.readings import Readings


class Detector(Protocol):
    """Finds one kind of thing. It runs in any thread, in time linear in the text, and never raises on any text."""

    guard: Guard
    places: frozenset[Place]
    """Where it looks."""

    def find(self, readings: Readings, place: Place) -> Sequence[Finding]:
        """Return what stands in a text at such a place, in spans of the text as it came."""
        ...
