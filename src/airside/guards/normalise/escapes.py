"""Escapes, read where they stand: percent, HTML entities, backslashes, quoted-printable."""

import html
import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import re2

from airside.guards.normalise.reading import Offsets, Reading

CONTEXT: Final = 256  # characters around an escape that are read with it
ESCAPES_MAX: Final = 20_000  # runs of escapes that are read

_EXPRESSION: Final = "|".join(
    (
        r"(?:(?:%[0-9A-Fa-f]{2})+)",
        r"(?:&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?)",
        r"(?:(?:\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8})+|\\[nrt])",
        r"(?:(?:=[0-9A-F]{2}|=\r?\n)+)",
    )
)
_ESCAPE: Final = re2.compile(_EXPRESSION)
_NAMES: Final = {"%": "percent", "&": "html", "\\": "escape", "=": "quoted"}
_WIDTHS: Final = {"%": 3, "=": 3, "\\x": 4, "\\u": 6}
_BRACED: Final = re.compile(r"\\u\{0*([0-9A-Fa-f]{6})\}")


class _Escape(NamedTuple):
    """A run of escapes, and what it says. `width`: characters of the run that stand for each; 0 if they differ."""

    start: int
    end: int
    text: str
    name: str
    width: int


def unescaped(reading: Reading, plain: bytes) -> tuple[list[Reading], bool]:
    """Return stretches of a form with their escapes read, and whether that was all. `plain`: the form in ASCII."""
    if not (b"%" in plain or b"&" in plain or b"\\x" in plain or b"\\u" in plain or b"\\U" in plain or b"=" in plain):
        return [], True
    found = list(_found(plain))
    if (
        sum(escape.end - escape.start for escape in found if escape.name == "quoted") < 6
    ):  # a single one is hardly quoted-printable
        found = [escape for escape in found if escape.name != "quoted"]
    if all(escape.name == "escape" and len(escape.text) == 1 and escape.text in "\n\r\t" for escape in found):
        return [], True
    return [_read(reading, near) for near in _together(found)], len(found) < ESCAPES_MAX


def _found(plain: bytes) -> Iterator[_Escape]:
    for count, match in enumerate(_ESCAPE.finditer(plain)):
        if count == ESCAPES_MAX:
            return
        run = match.group().decode("ascii")
        name = _NAMES[run[0]]
        text = _said(run, name)
        if text is not None:
            width = _WIDTHS.get(run[:2]) or _WIDTHS.get(run[0], 0)
            start, end = match.span()
            yield _Escape(start, end, text, name, width if width * len(text) == len(run) else 0)


def _said(run: str, name: str) -> str | None:
    """Return what a run of escapes says; None if it says nothing."""
    if name == "html":
        said = html.unescape(run)
        return said if said != run else None
    if name == "escape":
        return _backslashed(run)
    if name == "quoted":
        run = run.replace("=\r\n", "").replace("=\n", "").replace("=", "%")
    try:
        return unquote_to_bytes(run).decode()
    except UnicodeDecodeError:
        return None


def _backslashed(run: str) -> str | None:
    if len(run) == 2:
        return {"n": "\n", "r": "\r", "t": "\t"}[run[1]]
    try:
        said = _BRACED.sub(r"\\U00\1", run.replace("u{", "u{000000")).encode("ascii").decode("unicode_escape")
    except UnicodeDecodeError:  # beyond U+10FFFF
        return None
    if max(said) < "\u0100":
        try:
            return said.encode("latin-1").decode()
        except UnicodeDecodeError:
            return said
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # surrogates in pairs are one character


def _together(found: list[_Escape]) -> Iterator[list[_Escape]]:
    """Yield escapes whose contexts touch together."""
    near: list[_Escape] = []
    for escape in found:
        if near and escape.start - near[-1].end > 2 * CONTEXT:
            yield near
            near = []
        near.append(escape)
    if near:
        yield near


def _read(reading: Reading, near: list[_Escape]) -> Reading:
    begin, until = max(0, near[0].start - CONTEXT), min(len(reading.text), near[-1].end + CONTEXT)
    pieces: list[str] = []
    at = begin
    for escape in near:
        pieces += (reading.text[at : escape.start], escape.text)
        at = escape.end
    pieces.append(reading.text[at:until])
    text = "".join(pieces)
    names = tuple(dict.fromkeys(escape.name for escape in near))
    if "percent" in names and "+" in text and " " not in text:
        text = text.replace("+", " ")  # as forms send it
    starts, ends = Offsets(lambda: _starts(near, begin, until)), Offsets(lambda: _ends(near, begin, until))
    return reading.form(text, names, starts, ends)


def _starts(near: list[_Escape], begin: int, until: int) -> Iterator[int]:
    at = begin
    for escape in near:
        yield from range(at, escape.start)
        yield from (escape.start + place * escape.width for place in range(len(escape.text)))
        at = escape.end
    yield from range(at, until)
    yield until


def _ends(near: list[_Escape], begin: int, until: int) -> Iterator[int]:
    at = begin
    for escape in near:
        yield from range(at + 1, escape.start + 1)
        for place in range(1, len(escape.text) + 1):
            yield escape.start + place * escape.width if escape.width else escape.end
        at = escape.end
    yield from range(at + 1, until + 1)
