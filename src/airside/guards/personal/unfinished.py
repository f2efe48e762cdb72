"""Where, in a text that is still arriving, something may stand that more text would make, change or unmake.

All that a finding of a structured kind depends on is near: the characters of the value, words shortly before it, words
within `AFTER_CHARS` behind it. So what is open is the last stretch of numbers, if the text ends close behind it, and
the last word, which may begin an address, a code or a number.
"""

import re
from typing import Final

from airside.guards.personal.context import AFTER_CHARS

HOLD_CHARS: Final = 400
"""No more than so many characters at the end of a text are ever open."""

_BEHIND_CHARS: Final = AFTER_CHARS + 12  # extensions, units and punctuation behind a number have a say, too
_STRETCH_CHARS: Final = 200
_ADDRESS_CHARS: Final = 330  # a local part, `@`, a domain

_NUMBER: Final = re.compile(r"\S*\d\S*")
_WORD_BACKWARDS: Final = re.compile(r"[^\S\n]{0,3}[^\s]{1,330}")
_LETTERS_BACKWARDS: Final = re.compile(r"[ +(-]{0,4}(?:[^\W\d_]{1,6}(?![^\W\d_]))?")


def open_at(text: str) -> int | None:
    """Return from which character on the end of a text is open; None if nothing is.

    What is found before that place, in spans that begin there, is found alike in any text that goes on from this one.
    """
    places = [place for place in (_last_word(text), _last_numbers(text)) if place is not None]
    return min(places, default=None)


def _last_word(text: str) -> int | None:
    """Return where the last word begins: it may go on, and what follows it may make it the beginning of a number."""
    found = _WORD_BACKWARDS.match(text[-_ADDRESS_CHARS - 3 :][::-1])
    return len(text) - found.end() if found else None


def _last_numbers(text: str) -> int | None:
    """Return where the last stretch of numbers begins, unless enough text follows it."""
    begin = max(len(text) - _STRETCH_CHARS, 0)
    begin = next((at for at in range(begin, len(text)) if text[at].isspace()), begin) if begin else 0
    start: int | None = None
    end = -_BEHIND_CHARS - 1
    for number in _NUMBER.finditer(text, begin):
        if start is None or number.start() - end > _BEHIND_CHARS:
            start = number.start()
        end = number.end()
    if start is None or len(text) - end > _BEHIND_CHARS:
        return None
    before = _LETTERS_BACKWARDS.match(text[max(start - 16, 0) : start][::-1])
    return start - before.end() if before else start
