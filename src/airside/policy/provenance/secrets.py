"""Secrets that a run has come across, and texts that hold one of them in whatever cheap disguise."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from airside.policy.provenance.text import TEXT_CHARS_MAX, framed, plain

SQUEEZED_CHARS_MIN: Final = 6
"""Secrets of at least so many letters and digits are also found with anything strewn between them."""

SECRETS_MAX: Final = 10_000
_SEPARATORS = re.compile(r"[\W_]+")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[\s:]?){4,}")


class Secrets:
    """The values of secrets, by what names them."""

    def __init__(self) -> None:
        self._squeezed: dict[str, str] = {}
        self._short: dict[str, str] = {}

    def add(self, value: str, name: str) -> None:
        """Take in the value of a secret; `name` tells people which one it is."""
        text = plain(value)
        squeezed = _squeeze(text)
        if len(self._squeezed) + len(self._short) >= SECRETS_MAX:
            return
        if len(squeezed) >= SQUEEZED_CHARS_MIN:
            self._squeezed.setdefault(squeezed, name)
        elif squeezed:
            self._short.setdefault(framed(text), name)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._squeezed or self._short)

    def found_in(self, text: str) -> list[str]:
        """Return the names of the secrets that stand in a text: plainly, reversed, encoded or pulled apart."""
        if not self:
            return []
        found: dict[str, None] = {}
        for reading in readings(text[:TEXT_CHARS_MAX]):
            comparable = plain(reading)
            squeezed, said = _squeeze(comparable), framed(comparable)
            for part, body in ((self._squeezed, squeezed), (self._short, said)):
                found |= dict.fromkeys(name for value, name in part.items() if value in body)
        return list(found)


def readings(text: str) -> Iterator[str]:
    """Yield a text and what it says when read backwards, rotated, or decoded from the usual encodings."""
    yield text
    yield text[::-1]
    yield codecs.encode(text, "rot13")
    if "%" in text:
        yield unquote(text)
    for match in _CODED.finditer(text):
        yield from _base64(match.group())
    for match in _HEX.finditer(text):
        digits = re.sub(r"[^0-9a-fA-F]", "", match.group())
        yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "replace")


def _base64(text: str) -> Iterator[str]:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        yield base64.b64decode(body + "=" * (-len(body) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return


def _squeeze(text: str) -> str:
    return _SEPARATORS.sub("", text)
