"""The forms in which a secret's value may come back: as it is, encoded, reversed, taken apart, in other case.

Two ways of looking are enough for all of them. `exact` forms are looked for in the text as it stands. `loose` forms are
looked for in its skeleton: ASCII letters and digits only, in lower case. White space, zero-width characters, line
breaks, separators, `%`, `\\x`, the `+/-_=` of the Base64 alphabets and the NULs of UTF-16 all vanish there, so one form
covers many spellings. What compresses or encrypts a value hides it from any such search.
"""

import base64
import codecs
import html
import json
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

LOOSE_CHARS_MIN: Final = 12  # of a value itself; fewer letters and digits occur by chance
ENCODED_CHARS_MIN: Final = 9
WORDS_CHARS_MAX: Final = 20  # a value of letters only may be ordinary words up to here

_LOWER: Final = bytes(byte | 32 if chr(byte).isascii() and chr(byte).isupper() else byte for byte in range(256))
_DROPPED: Final = bytes(byte for byte in range(256) if byte > 127 or not chr(byte).isalnum())


class Forms(NamedTuple):
    """What to look for in a text, and what in its skeleton."""

    exact: frozenset[bytes]
    loose: frozenset[bytes]


def skeleton(data: bytes) -> bytes:
    """Return the ASCII letters and digits of a text, in lower case."""
    return data.translate(_LOWER, _DROPPED)


def forms_of(value: str) -> Forms:
    """Return the forms of a value; pure."""
    raw = value.encode(errors="replace")
    exact = set()
    if weak(value):  # else its skeleton is found wherever it stands as it is
        exact = {raw, *[json.dumps(value, ensure_ascii=plain)[1:-1].encode() for plain in (True, False)]}
    loose = {form for form in map(skeleton, _encoded(raw)) if len(form) >= ENCODED_CHARS_MIN}
    spelled = {skeleton(raw), skeleton(raw[::-1]), skeleton(codecs.encode(value, "rot13").encode(errors="replace"))}
    spelled |= {skeleton(quote(value, safe="", errors="replace").encode()), skeleton(html.escape(value).encode())}
    loose |= {form for form in spelled if _telling(form)}
    return Forms(frozenset(exact), frozenset(loose))


def weak(value: str) -> bool:
    """Whether a value is so short or plain that only its exact spelling can be looked for."""
    return not _telling(skeleton(value.encode(errors="replace")))


def _telling(form: bytes) -> bool:
    return len(form) >= LOOSE_CHARS_MIN and (len(form) > WORDS_CHARS_MAX or not form.isalpha())


def _encoded(raw: bytes) -> Iterator[bytes]:
    wide = raw.decode(errors="replace").encode("utf-16-le", "replace")
    for plain in (raw, wide, raw.hex().encode(), base64.b64encode(raw)):
        yield from _base64(plain)
    yield from _base32(raw)
    yield raw.hex().encode()  # also %73%65, =73=65 and 73:65
    yield wide.hex().encode()
    yield "".join(f"x{byte:02x}" for byte in raw).encode()  # \x73, &#x73; and 0x73
    yield "".join(f"u{ord(char):04x}" for char in raw.decode(errors="replace")).encode()
    yield "".join(str(byte) for byte in raw).encode()  # [115, 101] and &#115;&#101;


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield what Base64 makes of a value at each of the three places it may have in what is encoded."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _base32(raw: bytes) -> Iterator[bytes]:
    for before in range(5):
        encoded = base64.b32encode(bytes(before) + raw)
        yield encoded[-(-before * 8 // 5) : (before + len(raw)) * 8 // 5]
