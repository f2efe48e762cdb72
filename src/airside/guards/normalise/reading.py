"""One form of a text, with the way back to the characters as they came."""

from collections.abc import Callable, Iterable, Sequence
from typing import overload


class Offsets(Sequence[int]):
    """Where each character of a form begins, computed when somebody asks: most texts hide nothing."""

    def __init__(self, compute: Callable[[], Iterable[int]]) -> None:
        self._compute: Callable[[], Iterable[int]] | None = compute
        self._starts: Sequence[int] = ()

    def _known(self) -> Sequence[int]:
        if self._compute is not None:
            self._starts, self._compute = tuple(self._compute()), None
        return self._starts

    def __len__(self) -> int:
        return len(self._known())

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._known()[index]


def through(inner: Sequence[int] | None, outer: Sequence[int] | None) -> Sequence[int] | None:
    """Return where characters begin two forms further out; None: nothing moved."""
    if inner is None:
        return outer
    if outer is None:
        return inner
    last = len(outer) - 1
    return Offsets(lambda: [outer[min(at, last)] for at in inner])


class Reading:
    """One form of a text. `starts[i]` is where character i of the form begins in the text as it came; None: the same.

    `starts` has one entry more than the form has characters: where the text as it came ends. `via` are the
    transformations that led here, the outermost first; `whole` is the span, in the text as it came, of the part that
    was decoded: what is found inside a decoded part has that span.
    """

    __slots__ = ("_encoded", "_lowered", "starts", "text", "via", "whole")

    def __init__(
        self,
        text: str,
        via: tuple[str, ...] = (),
        starts: Sequence[int] | None = None,
        whole: tuple[int, int] | None = None,
    ) -> None:
        self.text = text
        self.via = via
        self.starts = starts
        self.whole = whole
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
        if not self.starts:
            return 0, 0
        last = len(self.starts) - 1
        begin = self.starts[min(start, last)]
        if end <= start:
            return begin, begin
        return begin, max(self.starts[min(end, last)], self.starts[min(end - 1, last)] + 1)
