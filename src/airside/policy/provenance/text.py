"""Text made comparable: two ways of writing the same thing become one, and nothing else does.

NFKC and casefolding (Unicode Standard Annex #15 and section 3.13), invisible characters removed, blanks made alike.
Words are compared as sequences, so a value is found in a text only between word borders: `1` is not in `2021`.
"""

import re
import unicodedata
from typing import Final

TEXT_CHARS_MAX: Final = 1_000_000
"""Longer texts are looked at up to here; what lies behind vouches for nothing."""

_WORD = re.compile(r"[^\W_]+")
_INVISIBLE = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})
_KEPT = frozenset("\t\n\r")


def plain(text: str) -> str:
    """Return a text in its comparable form: NFKC, no invisible characters, casefolded."""
    text = text[:TEXT_CHARS_MAX]
    return text.lower() if text.isascii() else _folded(text)


def _folded(text: str) -> str:
    seen = (char for char in text if char in _KEPT or unicodedata.category(char) not in _INVISIBLE)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", "".join(seen)).casefold())


def words(text: str) -> list[str]:
    """Return the words of a comparable text, in their order; punctuation and blanks separate them."""
    return _WORD.findall(text)


def framed(text: str) -> str:
    """Return the words of a comparable text between single blanks, with one at both ends: for word-bounded search."""
    return f" {' '.join(words(text))} "
