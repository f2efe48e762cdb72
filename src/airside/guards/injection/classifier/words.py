"""A text as the classifier reads it: words apart by one space, as UTF-8, in blocks of a fixed size."""

import re
from collections.abc import Iterator
from typing import Final

BLOCK_BYTES: Final = 256
"""A window is two blocks that follow one another; every place of a text but its ends stands in two windows."""

_KEPT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | frozenset(
    range(0x80, 0x100)
)
_INSIDE_WORDS: Final = b"'`"  # "don't" is one word
_MARK: Final = 1
_SPACED: Final = bytes(byte if byte in _KEPT else 0x20 for byte in range(0x100))
_MARKED: Final = bytes(_MARK if byte in _INSIDE_WORDS else _SPACED[byte] for byte in range(0x100))
_OTHER_MARKS: Final = {
    b"\xe2\x80": "“”„‘’‚‹›–—…",
    b"\xc2": "«»·¿¡\xa0",
    b"\xe3\x80": "。、「」『』【】《》\u3000",
    b"\xef\xbc": "，：；！？（）",
    b"\xd8": "،؛؟",
}
"""Marks beyond ASCII, by how they begin in UTF-8: most texts have none of most kinds."""

_OTHER_SPACES: Final = tuple(
    (beginning, tuple((mark.encode(), b" " * len(mark.encode())) for mark in marks))
    for beginning, marks in _OTHER_MARKS.items()
)
_WORD: Final = re.compile(rb"[^ ]+")


def read(text: str) -> bytes:
    """Return the words of a text, one space before, between and after them; b"  " or b" " if there are none."""
    return b" " + b" ".join(_apart(text).translate(_SPACED, _INSIDE_WORDS).split()) + b" "


def _apart(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    if not text.isascii():
        for beginning, marks in _OTHER_SPACES:
            if beginning in data:
                for mark, space in marks:
                    data = data.replace(mark, space)
    return data


def span(text: str, read_text: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where bytes [start, end) of what `read` made of a text stand in it, in characters, in whole words."""
    first = read_text.count(b" ", 0, start + 1) - 1
    last = read_text.count(b" ", 0, max(end - 1, start + 1)) - 1
    begin = until = None
    data = _apart(text)
    for number, (word_start, word_end) in enumerate(_words(data)):
        if number == max(first, 0):
            begin = word_start
        if number <= last:
            until = word_end
        else:
            break
    if begin is None or until is None or until <= begin:
        return 0, len(text)
    whole = text.encode("utf-8", "surrogatepass")
    before = len(whole[:begin].decode("utf-8", "surrogatepass"))
    return before, before + len(whole[begin:until].decode("utf-8", "surrogatepass"))


def _words(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the words stand that `read` finds."""
    mark = bytes([_MARK])
    for found in _WORD.finditer(data.translate(_MARKED)):
        if found.group().strip(mark):
            yield found.span()
