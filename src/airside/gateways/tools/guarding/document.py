"""A JSON value as one text that guards can read, and the way back to where its parts stand. Pure.

One text costs one scan however many fields there are, and a field's name stands before its value, so that what a value
is shows (`password: …`). A text by itself stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.guards.finding import Mode
from airside.guards.verdict import Judged

DEPTH_MAX: Final = 200
SMALL: Final = 10**11
"""Numbers with fewer than twelve digits are no card, no account, and nobody's secret."""

ITEM: Final = "- "

_REPLACED: Final = frozenset({Mode.TOKENISE, Mode.REDACT})
Path = tuple[str | int, ...]


class Piece(Struct, frozen=True):
    """A value, or the name of a member, and where its characters stand in the text."""

    path: Path
    start: int
    end: int
    is_key: bool = False


class Document(Struct, frozen=True):
    """The text of a value and its pieces, in their order."""

    text: str
    pieces: Sequence[Piece]

    def by_piece(self, judged: Sequence[Judged]) -> list[tuple[int, list[Judged]]]:
        """Return findings by the pieces that they stand in, in characters of the piece.

        What spans several stands in each; a name is only concerned if no value is.
        """
        found: dict[int, list[Judged]] = {}
        for one in judged:
            start, end = one.finding.start, one.finding.end
            touched = list(self._touched(start, end))
            values = [at for at in touched if not self.pieces[at].is_key]
            for at in values or touched:
                piece = self.pieces[at]
                begin, until = max(start, piece.start) - piece.start, min(end, piece.end) - piece.start
                clipped = replace(one.finding, start=begin, end=until)
                found.setdefault(at, []).append(Judged(clipped, one.mode))
        return sorted(found.items())

    def _touched(self, start: int, end: int) -> Sequence[int]:
        """Return the numbers of the pieces that a span touches, by bisection."""
        low, high = 0, len(self.pieces)
        while low < high:
            middle = (low + high) // 2
            if self.pieces[middle].end <= start:
                low = middle + 1
            else:
                high = middle
        last = low
        while last < len(self.pieces) and self.pieces[last].start < end:
            last += 1
        return range(low, last)

    def of_piece(self, at: int) -> str:
        """Return the characters of a piece."""
        return self.text[self.pieces[at].start : self.pieces[at].end]


def document(value: Any) -> Document:
    """Return a JSON value as a text; raises `limit_exceeded` beyond DEPTH_MAX levels."""
    if isinstance(value, str):
        return Document(value, [Piece((), 0, len(value))] if value else [])
    writing = _Writing()
    writing.add(value, (), "")
    return Document("".join(writing.texts), writing.pieces)


class _Writing:
    """A document that grows."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pieces: list[Piece] = []
        self._at = 0

    def add(self, value: Any, path: Path, before: str) -> None:
        """Write a value after what stands before it on its line."""
        if isinstance(value, str):
            self._line(before, value, path)
        elif isinstance(value, dict):
            self._begin(before, path)
            for key, item in value.items():
                below = (*path, key)
                if key:
                    self.pieces.append(Piece(below, self._at, self._at + len(key), True))
                self.add(item, below, f"{key}: ")
        elif isinstance(value, list | tuple):
            self._begin(before, path)
            for number, item in enumerate(value):
                self.add(item, (*path, number), ITEM)
        elif isinstance(value, int) and not -SMALL < value < SMALL:
            self._line(before, str(value), path)
        elif isinstance(value, float) and value.is_integer() and not -SMALL < value < SMALL:
            self._line(before, str(int(value)), path)
        elif before and before != ITEM:
            self._write(before + "\n")

    def _begin(self, before: str, path: Path) -> None:
        if len(path) > DEPTH_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the value is nested deeper than {DEPTH_MAX} levels")
        if before and before != ITEM:
            self._write(before + "\n")

    def _line(self, before: str, text: str, path: Path) -> None:
        if text:
            start = self._at + len(before)
            self.pieces.append(Piece(path, start, start + len(text)))
        self._write(f"{before}{text}\n")

    def _write(self, text: str) -> None:
        self.texts.append(text)
        self._at += len(text)


def replaced(judged: Sequence[Judged]) -> bool:
    """Whether anything of a text is to be replaced."""
    return any(one.mode in _REPLACED for one in judged)


def with_texts(value: Any, texts: Mapping[Path, str], keys: Mapping[Path, str]) -> Any:
    """Return a value with other texts at some paths and other names of some members; equal names are numbered."""
    return _with(value, (), texts, keys)


def _with(value: Any, path: Path, texts: Mapping[Path, str], keys: Mapping[Path, str]) -> Any:
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, item in value.items():
            below = (*path, key)
            name = keys.get(below, key)
            number = 2
            while name in made or (name != key and name in value):
                name, number = f"{keys.get(below, key)} {number}", number + 1
            made[name] = _with(item, below, texts, keys)
        return made
    if isinstance(value, list | tuple):
        return [_with(item, (*path, number), texts, keys) for number, item in enumerate(value)]
    return texts.get(path, value)
