"""Text in characters that are not seen: tags (U+E0000), variation selectors, zero-width bits."""

import re
from collections.abc import Iterator
from typing import Final

from airside.guards.normalise.blobs import plausible

_HIDDEN: Final = re.compile(
    "(?P<tags>[\U000e0020-\U000e007e]{4,})"
    "|(?P<selectors>[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,})"
    "|(?P<zero>[\u200b\u200c\u200d\u2060\u2062-\u2064\ufeff]{32,})"
)
_SUSPECT: Final = re.compile("[\u200b\ufe00-\ufe0f\U000e0000-\U000e01ef]")


def hidden(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield names of ways to hide, what was hidden, and where."""
    if text.isascii() or not _SUSPECT.search(text):
        return
    for match in _HIDDEN.finditer(text):
        said = _READERS[match.lastgroup or ""](match[0])
        if said is not None:
            yield match.lastgroup or "", said, *match.span()


def _tags(run: str) -> str:
    return "".join(chr(ord(character) - 0xE0000) for character in run)


def _selectors(run: str) -> str | None:
    codes = (ord(character) for character in run)
    return plausible(bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in codes))


def _zero(run: str) -> str | None:
    """Return what two of the characters say as bits, either way round."""
    bits = [character for character in run if character in "\u200b\u200c"]
    if len(bits) < 32 or len(bits) > 1 << 16:
        return None
    for one in "\u200c\u200b":
        number = int("".join("1" if bit == one else "0" for bit in bits[: len(bits) & ~7]), 2)
        said = plausible(number.to_bytes(len(bits) // 8, "big"))
        if said is not None:
            return said
    return None


_READERS: Final = {"tags": _tags, "selectors": _selectors, "zero": _zero}
