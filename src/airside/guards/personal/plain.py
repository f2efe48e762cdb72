"""A text as the rules of personal data read it: one byte for each character, so that places need no arithmetic.

Digits of all scripts, full-width letters, the many spaces and dashes become their ASCII fellows; any other character
stands as `?`. What a rule then needs of it (words, names) it reads in the text itself.
"""

import re
from functools import cached_property
from typing import Final

_SPACES: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES: Final = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_ZEROS: Final = (  # of Unicode 14, in each script that has its own digits
    *(0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66),
    *(0xDE6, 0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90),
    *(0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0),
    *(0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0),
    *(0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6),
    *(0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0),
)


def _fellows() -> dict[int, str]:
    fellows = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    fellows |= {ord(space): " " for space in _SPACES} | {ord(dash): "-" for dash in _DASHES}
    for zero in _ZEROS:
        fellows |= {zero + value: str(value) for value in range(10)}
    return fellows


_FELLOWS: Final = _fellows()
_WITH_FELLOWS: Final = frozenset(map(chr, _FELLOWS))
_FEW: Final = 12
_APART: Final = bytes(32 if byte == ord("_") else byte for byte in range(256))
_ALNUM: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS: Final = frozenset(b"0123456789")


class Plain:
    """A text, `data` with one byte for each of its characters, and `parts`, the same with underscores as spaces."""

    def __init__(self, text: str) -> None:
        self.text = text if text.isascii() else _in_ascii_where_possible(text)
        self.data = self.text.encode("ascii", "replace")
        self.parts = self.data.translate(_APART)

    @cached_property
    def has_digits(self) -> bool:
        """Whether there is any digit: most kinds have some."""
        return _DIGIT.search(self.data) is not None

    def apart(self, start: int, end: int) -> bool:
        """Whether [start, end) is not a piece of a longer number, word, version or identifier."""
        return self._open_left(start) and self._open_right(end)

    def crowded(self, start: int, end: int) -> bool:
        """Whether numbers stand right beside [start, end), a space apart: it may be a piece of a longer one."""
        before, after = self.parts[max(start - 2, 0) : start], self.parts[end : end + 2]
        return (before[1:] == b" " and before[:1].isdigit()) or (after[:1] == b" " and after[1:].isdigit())

    def _open_left(self, start: int) -> bool:
        data = self.parts
        if not start:
            return True
        before = data[start - 1]
        if before in _ALNUM:
            return False
        further = data[start - 2] if start > 1 else 32
        return not ((before == ord("-") and further in _ALNUM) or (before in b".+" and further in _DIGITS))

    def _open_right(self, end: int) -> bool:
        data = self.parts
        if end >= len(data):
            return True
        after = data[end]
        if after in _ALNUM or after == ord("@"):
            return False
        further = data[end + 1] if end + 1 < len(data) else 32
        return not ((after == ord("-") and further in _ALNUM) or (after == ord(".") and further in _DIGITS))


_DIGIT: Final = re.compile(rb"[0-9]")


def _in_ascii_where_possible(text: str) -> str:
    """Return a text with what has a fellow in ASCII exchanged for it, character by character."""
    present = _WITH_FELLOWS.intersection(text)
    if len(present) > _FEW:
        return text.translate(_FELLOWS)
    for char in present:
        text = text.replace(char, _FELLOWS[ord(char)])
    return text
