"""Numbers of a fixed shape: where one stands is found for all shapes in one pass, what it is by its digits.

A shape is written as a mask: `9` is a digit, `A` a letter, any other character itself. One RE2 expression holds all
masks; what it finds is looked up by its mask, and then checked. What is rejected is searched again from its second
word on, so that a number behind another is not lost.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import re2
from msgspec import Struct

from airside.guards.personal.context import Contexts
from airside.guards.personal.plain import Plain
from airside.guards.personal.spotted import Spotted

CHECKED_MAX: Final = 2_000
"""So many candidates of one text are checked. What would be one beyond them counts, unchecked, as one long find."""

ALONE: Final = 0.9
IN_CONTEXT: Final = 1.0

_MASK: Final = bytes(
    ord("9") if chr(byte) in "0123456789" else ord("A") if chr(byte).isalpha() and byte < 128 else byte
    for byte in range(256)
)
_WORD: Final = re.compile(rb"[0-9A-Za-z]+")
_ACCOUNT_BEFORE: Final = re.compile(rb"\b[A-Za-z]{2}[0-9]{2}(?: [0-9A-Za-z]{4}){0,7} \Z")  # the head of an IBAN


class Shape(Struct, frozen=True, kw_only=True):
    """One kind of number. `words` say what it is; `alone` tells whether it also counts without any of them."""

    rule: str
    kind: str
    masks: tuple[str, ...]
    valid: Callable[[str], bool]
    words: tuple[str, ...] = ()
    alone: bool = False


class ShapeSet:
    """Shapes that are looked for together."""

    def __init__(self, shapes: Sequence[Shape], *, family: str, kind: str, common: Sequence[str] = ()) -> None:
        """`common` are words that speak of any of the shapes; `family` and `kind` name what was not checked."""
        self._by_mask: dict[bytes, list[Shape]] = {}
        for shape in shapes:
            for mask in shape.masks:
                self._by_mask.setdefault(mask.encode(), []).append(shape)
        self._expression = union(self._by_mask)
        words = [(word, shape.rule) for shape in shapes for word in shape.words]
        self._contexts = Contexts([*words, *((word, "") for word in common)])
        self._unchecked = (f"{family}.unchecked", kind)

    def find(self, plain: Plain) -> Iterator[Spotted]:
        """Yield what stands in a text."""
        data, at = plain.parts, 0
        for _ in range(CHECKED_MAX):
            match = self._expression.search(data, at)
            if match is None:
                return
            start, end = match.span()
            spotted = self._judged(plain, start, end)
            if spotted is not None:
                yield spotted
                at = end
            else:
                at = after_word(data, start, end)
        rest = self._expression.search(data, at)
        if rest is not None:
            yield Spotted(self._unchecked[0], self._unchecked[1], rest.start(), len(data), 0.3)

    def _judged(self, plain: Plain, start: int, end: int) -> Spotted | None:
        mask = plain.parts[start:end].translate(_MASK)
        shapes = self._by_mask.get(mask)
        if shapes is None or not plain.apart(start, end):
            return None
        number = plain.text[start:end].upper()
        crowded = b" " in mask and plain.crowded(start, end)
        if crowded and _ACCOUNT_BEFORE.search(plain.parts[max(start - 45, 0) : start]):
            return None
        near: Mapping[str, int] | None = None
        best: Spotted | None = None
        for shape in shapes:
            if (crowded or not shape.alone) and near is None:
                near = self._contexts.near(plain.text, start, end)
            if (
                (shape.alone and (shape.kind == "CARD" or not crowded)) or (near and (shape.rule in near or "" in near))
            ) and shape.valid(number):
                near = self._contexts.near(plain.text, start, end) if near is None else near
                score = IN_CONTEXT if shape.rule in near else ALONE
                if best is None or score > best.score:
                    best = Spotted(shape.rule, shape.kind, start, end, score)
        return best


def union(masks: Sequence[bytes] | dict[bytes, list[Shape]]) -> "re2._Regexp[bytes]":
    """Return one expression for all masks, the longest first."""
    ordered = sorted(masks, key=lambda mask: (-len(mask), mask))
    return re2.compile(rb"\b(?:" + b"|".join(map(_written, ordered)) + rb")\b")


def _written(mask: bytes) -> bytes:
    """Return a mask as an expression, runs of one class counted."""
    pieces = []
    for run in re.finditer(rb"9+|A+|.", mask, re.DOTALL):
        found = run.group()
        letters = {ord("9"): b"[0-9]", ord("A"): b"[A-Za-z]"}.get(found[0])
        pieces.append(re.escape(found) if letters is None else letters + b"{%d}" % len(found))
    return b"".join(pieces)


def after_word(data: bytes, start: int, end: int) -> int:
    """Return where the search goes on after [start, end) was rejected: behind its first word."""
    word = _WORD.match(data, start)
    return max(start + 1, min(word.end(), end) if word else start + 1)
