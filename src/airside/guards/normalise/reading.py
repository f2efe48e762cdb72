"""One form of a text, with the way back to the characters as they came."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import overload


class Offsets(Sequence[int]):
    """Where each character of a form begins, computed when somebody asks: most texts hide nothing."""

    def __init__(self, compute: Callable[[], Iterable[int]]) -> None:
        self._compute: Callable[[], Iterable[int]] | None = compute
        self._starts: Sequence[int] = ()

    def _known(self) -> Sequence[int]:
        if self._compute is not None:
            self._starts, self._compute = array("i", self._compute()), None
        return self._starts

    def __len__(self) -> int:
        return len(self._known())

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._known()[index]


class Reading:
    """One form of a text. `starts[i]` is where character i of the form begins in the text as it came; None: the same.

    `starts` has one entry more than the form has characters: where the text as it came ends. `ends[i]` is where what
    character i was decoded from ends; None: where the next begins. `via` are the transformations that led here, the
    outermost first; `whole` is the span, in the text as it came, of the part that was decoded: what is found inside a
    decoded part has that span.
    """

    __slots__ = ("_encoded", "_lowered", "ends", "starts", "text", "via", "whole")

    def __init__(
        self,
        text: str,
        via: tuple[str, ...] = (),
        starts: Sequence[int] | None = None,
        whole: tuple[int, int] | None = None,
        ends: Sequence[int] | None = None,
    ) -> None:
        self.text = text
        self.via = via
        self.starts = starts
        self.whole = whole
        self.ends = ends
        self._encoded: bytes | None = None
        self._lowered: bytes | None = None

    def __repr__(self) -> str:
        return f"Reading({len(self.text)} characters, via={self.via})"  # never the text: it may end in a log

    @property
    def encoded(self) -> bytes:
        """The form in UTF-8, as many characters as it has; a lone surrogate is a question mark."""
        if self._encoded is None:
            self._encoded = self.text.encode("utf-8", "replace")
        return self._encoded

    @property
    def lowered(self) -> bytes:
        """The form casefolded, in UTF-8: where keywords are looked for."""
        if self._lowered is None:
            ascii_only = len(self.encoded) == len(self.text)
            self._lowered = self.encoded.lower() if ascii_only else self.text.casefold().encode("utf-8", "replace")
        return self._lowered

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters [start, end) of this form stand in the text as it came."""
        if self.whole is not None:
            return self.whole
        if self.starts is None:
            return start, end
        last = len(self.starts) - 1
        if last < 0:
            return 0, 0
        begin = self.starts[min(start, last)]
        if end <= start:
            return begin, begin
        if self.ends is not None:
            final = min(end, last) - 1
            return min(begin, self.starts[final]), max(self.ends[min(start, final)], self.ends[final])  # or reversed
        return begin, max(self.starts[min(end, last)], self.starts[min(end - 1, last)] + 1)

    def form(
        self,
        text: str,
        via: tuple[str, ...] = (),
        starts: Sequence[int] | None = None,
        ends: Sequence[int] | None = None,
    ) -> "Reading":
        """Return a form of this form; `starts` and `ends` are places in this one, None: character by character."""
        if self.whole is not None or starts is None:
            return Reading(text, self.via + via, self.starts, self.whole, self.ends)
        if self.starts is None:
            return Reading(text, self.via + via, starts, None, ends)
        outer, last = self.starts, len(self.text)
        mapped = Offsets(lambda: [outer[min(at, last)] for at in starts])
        if ends is None and self.ends is None:
            return Reading(text, self.via + via, mapped)
        later = Offsets(lambda: [self.span(max(at - 1, 0), at)[1] for at in (starts[1:] if ends is None else ends)])
        return Reading(text, self.via + via, mapped, None, later)

    def parts(self, name: str, found: Sequence[tuple[str, int, int]]) -> "Reading":
        """Return decoded parts of this form together, each with its span in this form."""
        text = "\n".join([part for part, _, _ in found])
        if self.whole is not None:
            return Reading(text, (*self.via, name), None, self.whole)
        if len(found) == 1:
            return Reading(text, (*self.via, name), None, self.span(*found[0][1:]))
        spans = [(len(part) + 1, self.span(start, end)) for part, start, end in found]
        starts = Offsets(lambda: chain.from_iterable(repeat(start, length) for length, (start, _) in spans))
        ends = Offsets(lambda: chain.from_iterable(repeat(end, length) for length, (_, end) in spans))
        return Reading(text, (*self.via, name), starts, None, ends)
