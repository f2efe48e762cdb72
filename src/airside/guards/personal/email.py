"""E-mail addresses, also international ones (RFC 5321, 5322, 6531), with a top-level domain that exists.

Around each `@` at most 64 characters to the left and 255 to the right are read. Of the characters that RFC 5322 allows
in a local part, those that in practice end it (`=`, `/`, `?`, `&`, braces, …) are taken as its end: `?mail=a@b.org`.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

import re2

from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

LOCAL_CHARS_MAX: Final = 64
DOMAIN_CHARS_MAX: Final = 253
_LABEL_CHARS_MAX: Final = 63
_URL_CHARS: Final = 200
_UNSPACED_CHARS_MAX: Final = 16
_WORDS_BEHIND_MAX: Final = 4  # sentences that follow without a space, `a@b.org.Please`

_TLDS: Final = frozenset(
    line
    for line in files("airside.guards.personal").joinpath("tlds.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)
_AT: Final = re2.compile(rb"[^\s@]@[0-9A-Za-z?\[]")
_LOCAL_BACKWARDS: Final = re.compile(r"[\w.+%'~-]+")
_QUOTED_BACKWARDS: Final = re.compile(r'"[^"\s]{1,62}"')
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_ASCII_BACKWARDS: Final = re.compile(r"[A-Za-z0-9.+%'_~-]+")
_ASCII: Final = re.compile(r"[A-Za-z0-9-]+")
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the addresses in a text."""
    if b"@" not in plain.data:
        return
    until = 0
    for count, match in enumerate(_AT.finditer(plain.data)):
        at = match.start() + 1
        if count >= CHECKED_MAX:
            yield Spotted("email.unchecked", "EMAIL", at, len(plain.text), 0.3)
            return
        span = _around(plain.text, at, until)
        if span is not None:
            until = span[1]
            yield Spotted("email", "EMAIL", *span)


def _around(text: str, at: int, floor: int) -> tuple[int, int] | None:
    end = _domain_end(text, at + 1)
    start = _local_start(text, at, floor) if end else None
    if end is None or start is None or _in_url(text, start):
        return None
    return (start, end) if text[start:at].casefold() != "git" else None


def _local_start(text: str, at: int, floor: int) -> int | None:
    backwards = text[max(at - LOCAL_CHARS_MAX - 1, floor) : at][::-1]
    quoted = _QUOTED_BACKWARDS.match(backwards)
    if quoted:
        return at - quoted.end()
    found = _LOCAL_BACKWARDS.match(backwards)
    if found is None:
        return None
    local = found.group()[::-1]
    other = _UNSPACED.search(local)
    ascii_part = _ASCII_BACKWARDS.match(backwards)
    if other and ascii_part:  # an address right behind a word of a script without spaces
        local = ascii_part.group()[::-1]
    elif other and len(local) > _UNSPACED_CHARS_MAX:  # rather a sentence
        return None
    local = local.lstrip(".'-%~+")
    if not 0 < len(local) <= LOCAL_CHARS_MAX or local.endswith(".") or ".." in local:
        return None
    return at - len(local)


def _domain_end(text: str, begin: int) -> int | None:
    """Return where the domain ends, at the last label that is a top-level domain."""
    found = _DOMAIN.match(text[begin : begin + DOMAIN_CHARS_MAX])
    if found is None:
        return None
    labels = found.group().split(".")
    end = begin + len(found.group())
    for last in range(len(labels) - 1, max(len(labels) - 1 - _WORDS_BEHIND_MAX, 0), -1):
        label = labels[last]
        start = end - len(label)
        top = _top(label)
        if top is not None and all(map(_label, labels[:last])):
            return start + top
        end = start - 1
    return None


def _top(label: str) -> int | None:
    """Return how many characters of a label are a top-level domain; None if it begins with none."""
    if _known(label):
        return len(label)
    head = _ASCII.match(label)
    if head and head.end() < len(label) and _known(head.group()):
        return head.end()
    return None


def _known(label: str) -> bool:
    if label.isascii():
        low = label.lower()
        return low in _TLDS or (low.startswith("xn--") and _from_punycode(low[4:]) in _TLDS)
    return label.casefold() in _TLDS


def _from_punycode(label: str) -> str:
    try:
        return label.encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, IndexError, OverflowError):
        return ""


def _label(label: str) -> bool:
    return 0 < len(label) <= _LABEL_CHARS_MAX and not label.startswith("-") and not label.endswith("-")


def _in_url(text: str, start: int) -> bool:
    """Whether what looks like a local part is who logs in, in a URL: `https://me:word@host.example`."""
    before = text[max(start - _URL_CHARS, 0) : start]
    scheme = before.rfind("://")
    return scheme >= 0 and not any(char.isspace() or char in "/?#" for char in before[scheme + 3 :])
