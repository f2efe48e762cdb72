"""The forms of one text: as it came, folded, and decoded, each with the way back to the characters as they came."""

from collections.abc import Sequence
from functools import cached_property

from airside.guards.normalise.folding import fold
from airside.guards.normalise.reading import Reading, through

__all__ = ["Reading", "Readings"]


class Readings:
    """The forms of one text, made when first asked for."""

    def __init__(self, text: str) -> None:
        self.raw = Reading(text)

    @cached_property
    def folded(self) -> Reading:
        """The text without disguise: NFKC, casefolded, invisible characters out, look-alikes as what they look like."""
        return folded(self.raw)

    @cached_property
    def decoded(self) -> Sequence[Reading]:
        """Parts that were written in another encoding, read, with their case; bounded in depth, number and size."""
        return ()

    @cached_property
    def texts(self) -> Sequence[Reading]:
        """All forms that keep case: the text as it came and what is decoded. For secrets and other exact values."""
        return (self.raw, *self.decoded)

    @cached_property
    def folds(self) -> Sequence[Reading]:
        """All forms without disguise: the text and what is decoded, folded. For words."""
        return (self.folded, *(folded(reading) for reading in self.decoded))


def folded(reading: Reading) -> Reading:
    """Return a form without disguise."""
    text, starts = fold(reading.text)
    return Reading(text, reading.via, through(starts, reading.starts), reading.whole)
