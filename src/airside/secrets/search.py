"""Finds the forms of many values in a text, in time that grows with the text and hardly with the values.

Up to FINDS_MAX forms are looked for one after the other, which is fastest for few. Beyond that the skeleton is cut into
pieces of six bytes, one in every seven, and these are looked up among all six-byte pieces of all forms: a form of
twelve bytes or more, wherever it begins, contains one of them whole.
"""

import re
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from airside.secrets.forms import Forms, skeleton

FINDS_MAX: Final = 60
_PIECE, _STRIDE = 6, 7
_PIECED_MIN: Final = _PIECE + _STRIDE - 1
_PIECES: Final = struct.Struct("6sx")

_ESCAPES = rb"\\+(?:u[0-9a-fA-F]{4}|[bfnrtv\"'/])"
_ESCAPE = re.compile(_ESCAPES)
_LETTERS = re.compile(rb"[A-Za-z0-9]+")
_LETTERS_OR_ESCAPE = re.compile(_ESCAPES + rb"|[A-Za-z0-9]+")


class Span(NamedTuple):
    """Where a value stands in a text, in bytes, and whose value it is."""

    start: int
    end: int
    name: str


class Table:
    """The forms of a set of values, each with the name it is told by."""

    def __init__(self, values: Mapping[str, Iterable[Forms]]) -> None:
        self._exact: dict[bytes, str] = {}
        self._loose: dict[bytes, str] = {}
        for name, found in values.items():
            for forms in found:
                self._exact |= dict.fromkeys(forms.exact, name)
                self._loose |= dict.fromkeys(forms.loose, name)
        self._direct = list(self._loose)
        self._by_piece: dict[tuple[bytes], list[bytes]] = {}
        if len(self._loose) > FINDS_MAX:
            self._direct = [form for form in self._loose if len(form) < _PIECED_MIN]
            by_piece = defaultdict(list)
            for form in self._loose:
                for at in range(len(form) - _PIECE + 1 if len(form) >= _PIECED_MIN else 0):
                    by_piece[(form[at : at + _PIECE],)].append(form)
            self._by_piece = dict(by_piece)

    def names(self, data: bytes) -> set[str]:
        """Return whose values occur in a text, in whatever form."""
        found = {name for form, name in self._exact.items() if form in data}
        for view in _views(data):
            found.update(self._loose[form] for form in self._within(view))
        return found

    def spans(self, data: bytes) -> list[Span]:
        """Return where values occur, from left to right and without overlaps."""
        found = [Span(at, at + len(form), name) for form, name in self._exact.items() for at in _all(form, data)]
        for tokens in (_LETTERS, _LETTERS_OR_ESCAPE) if b"\\" in data else (_LETTERS,):
            found += self._loosely(data, tokens)
        return list(_merged(sorted(found)))

    def _loosely(self, data: bytes, tokens: re.Pattern[bytes]) -> Iterator[Span]:
        runs = [match.span() for match in tokens.finditer(data) if data[match.start()] != 0x5C]
        view = skeleton(b"".join([data[start:end] for start, end in runs]))
        forms = self._within(view)
        if not forms:
            return
        before = [0]
        for start, end in runs:
            before.append(before[-1] + end - start)

        def place(at: int) -> int:
            run = bisect_right(before, at) - 1
            return runs[run][0] + at - before[run]

        for form in forms:
            for at in _all(form, view):
                yield Span(place(at), place(at + len(form) - 1) + 1, self._loose[form])

    def _within(self, view: bytes) -> list[bytes]:
        found = [form for form in self._direct if form in view]
        if self._by_piece:
            padded = view + bytes(-len(view) % _STRIDE)
            pieces = self._by_piece.keys() & set(_hits(self._by_piece, padded))
            likely = {form for piece in pieces for form in self._by_piece[piece]}
            found += [form for form in likely if form in view]
        return found


def _hits(by_piece: Mapping[tuple[bytes], object], padded: bytes) -> Iterator[tuple[bytes]]:
    return filter(by_piece.__contains__, _PIECES.iter_unpack(padded))


def _views(data: bytes) -> Iterator[bytes]:
    """Yield the skeleton of a text, and that of the text without the escapes of JSON in it, if there are any."""
    yield skeleton(data)
    if b"\\" in data:
        yield skeleton(_ESCAPE.sub(b"", data))


def _all(form: bytes, data: bytes) -> Iterator[int]:
    at = data.find(form)
    while at >= 0:
        yield at
        at = data.find(form, at + len(form))


def _merged(spans: list[Span]) -> Iterator[Span]:
    current: Span | None = None
    for span in spans:
        if current is not None and span.start < current.end:
            current = current._replace(end=max(current.end, span.end))
            continue
        if current is not None:
            yield current
        current = span
    if current is not None:
        yield current
