"""Where, in a text that is still arriving, something may stand that more text would make, change or unmake.

All that a finding of a structured kind depends on is near: the characters of the value, words shortly before it, words
within `AFTER_CHARS` behind it. So what is open is the last stretch of numbers, if the text ends close behind it, and
the last word, which may begin an address, a code or a number.
"""

import re
from typing import Final

from airside.guards.personal.context import AFTER_CHARS

HOLD_CHARS: Final = 5_600
"""No more than so many characters at the end of a text are ever open."""

_BEHIND_CHARS: Final = AFTER_CHARS + 12  # extensions, units and punctuation behind a number have a say, too
_STREET_CHARS: Final = 130  # behind a number that a name follows: a street, a place
_STRETCH_CHARS: Final = 300

_DIGIT: Final = re.compile(r"\d")
# What separates words: not the controls that `\\s` also knows, which are not seen when a text is read.
_SPACE: Final = r" \t\n\r\u00a0\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSPACED: Final = r"\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_MARKS: Final = r"\u3001-\u301f\uff01\uff0c\uff1a\uff1b\uff1f"  # the punctuation of scripts without spaces
_WORD: Final = re.compile(rf"[^{_SPACE}]+")
_WORD_BACKWARDS: Final = re.compile(
    r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]{0,3}[!-~]{0,4096}"
    rf"(?:[^{_SPACE}{_UNSPACED}{_MARKS}]{{0,330}}[{_UNSPACED}]{{0,20}}){{0,4}}"
)
_LETTERS_BACKWARDS: Final = re.compile(r"[ +(-]{0,4}(?:[^\W\d_]{1,12}(?![^\W\d_]))?")
_NAME_FOLLOWS: Final = re.compile(
    r"[A-Za-z]?[\s,]{1,3}(?:[A-Z]|[^\x00-\x7f]|(?:rue|avenue|boulevard|place|chemin|all|impasse|quai|route|cours|square|bis|ter)\b)"
)
_STREET_BEGINS: Final = re.compile(
    r"\b(?:(?:Calle|C/|Avda|Av|Avenida|Plaza|Paseo|Carrera|Via|Viale|Piazza|Corso|Largo|Vicolo|Rua|Travessa|Praça|ul|al"
    r"|[Rr]ue|P\.? ?O|Box|Postfach|Apartado|Casella|Bo.te|BP|Unit|PSC|CMR)\b"
    r"|[^\W\d_]{1,30}(?:straße|strasse|str\.|weg|gasse|platz|allee|ring|damm|ufer|chaussee|straat|laan|plein|gracht|kade"
    r"|dijk|singel|gatan|vägen|gata|vej|gade|veien|gaten|katu|tie) )"
)


_INTRODUCED: Final = re.compile(
    r"\b(?:name|appelle|name ist|hei(?:ß|ss)e|llamo|nombre|chiamo|nome|chamo|naam|heet|nazywam|imię|heter|navn|hedder"
    r"|nimeni|зовут|adım|jmenuji|numele|με λένε)\b",
    re.IGNORECASE,
)
_INTRODUCED_CHARS: Final = 110


def open_at(text: str) -> int | None:
    """Return from which character on the end of a text is open; None if nothing is.

    What is found before that place, in spans that begin there, is found alike in any text that goes on from this one.
    """
    numbers = _last_numbers(text)
    street = _last_street(text, len(text) if numbers is None else numbers)
    places = (_last_word(text), numbers, street, _last_introduction(text))
    return min((place for place in places if place is not None), default=None)


def _last_word(text: str) -> int | None:
    """Return where the last word begins: it may go on, and what follows it may make it the beginning of a number."""
    found = _WORD_BACKWARDS.match(text[-HOLD_CHARS:][::-1])
    return len(text) - found.end() if found and found.group().strip() else None


def _last_numbers(text: str) -> int | None:
    """Return where the last stretch of numbers begins, unless enough text follows it."""
    begin = max(len(text) - _STRETCH_CHARS, 0)
    begin = next((at for at in range(begin, len(text)) if text[at].isspace()), begin) if begin else 0
    if _DIGIT.search(text, begin) is None:
        return None
    start: int | None = None
    end = open_until = -1
    for number in _WORD.finditer(text, begin):
        if _DIGIT.search(text, number.start(), number.end()) is None:
            continue
        if start is None or number.start() > open_until:
            start = number.start()
        end = number.end()
        open_until = end + (_STREET_CHARS if _NAME_FOLLOWS.match(text, end) else _BEHIND_CHARS)
    if start is None or len(text) > open_until:
        return None
    before = _LETTERS_BACKWARDS.match(text[max(start - 16, 0) : start][::-1])
    return start - before.end() if before else start


def _last_street(text: str, until: int) -> int | None:
    """Return where a street begins that stands before an open number, or before the end of the text."""
    begin = max(until - _STREET_CHARS // 2, 0)
    found = _STREET_BEGINS.search(text, begin, until)
    return found.start() if found else None


def _last_introduction(text: str) -> int | None:
    """Return where somebody's name may follow a word that says so."""
    found = _INTRODUCED.search(text, max(len(text) - _INTRODUCED_CHARS, 0))
    return found.end() if found else None
