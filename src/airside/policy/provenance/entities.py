"""What stands in texts that names something outside them: links, e-mail addresses, accounts, dates, numbers.

Each has one canonical form, so that `HTTP://Example.com:80/a%7Eb/` and `example.com/a~b` are one link, `GB29 NWBK 6016`
and `gb29nwbk6016` one account, `1,234.50` and `1234.5` one number, `May 19th` a day of every year.
"""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from airside.policy.provenance.text import plain

ENTITIES_MAX: Final = 20_000
NUMBER_CHARS_MAX: Final = 64


class Kind(StrEnum):
    """What an entity is."""

    LINK = "link"
    EMAIL = "e-mail"
    ACCOUNT = "account"
    DATE = "date"
    NUMBER = "number"


class Entity(NamedTuple):
    """Something named in a text, in its canonical form."""

    kind: Kind
    value: str


_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|me|ly|xyz|top|site|online|shop|cloud|tech|link|click"
)
_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,15}://[^\s<>\"'`|\\^{}\[\]]+"
    r"|\bwww\.[^\s<>\"'`|\\^{}\[\]]+"
    r"|(?<![@\w.-])(?:[\w-]+\.)+[a-z][a-z0-9-]{1,23}(?:/[^\s<>\"'`|\\^{}\[\]]+|:\d+[^\s<>\"'`]*)"
    rf"|(?<![@\w.-])(?:[\w-]+\.)+(?:{_TOP_LEVEL})(?![\w@-]|\.\w))"
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+\w{2,}")
_ACCOUNT = re.compile(r"\b[a-z]{2}\d{2}(?:[a-z0-9]{9,32}|(?: [a-z0-9]{4}){2,8}(?: [a-z0-9]{1,4})?)\b")
_LONG_NUMBER = re.compile(r"(?<![\w.])\d(?:[ -]?\d){8,24}(?![\w.]\d|\w)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_MONTH_DAY = re.compile(rf"\b{_MONTH}\.? (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?(?:,? (\d{{4}}))?\b")
_NUMBER = re.compile(
    r"(?<![\w.,])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w]|[.,]\d)|(?<![\w.,])-?\d+(?:\.\d+)?(?![\w]|[.,]\d)"
)
_TRAILING = ".,;:!?)]}>'\"*"
_DEFAULT_PORTS = {"http": 80, "https": 443, "": 80}
ANY_YEAR: Final = "*"


def entities(text: str) -> list[Entity]:
    """Return what a comparable text names, at most ENTITIES_MAX; numbers within links and dates are not told."""
    found, rest = _reaching(text)
    found += [Entity(Kind.DATE, date) for date in _dates(rest)]
    for pattern in (_ISO_DATE, _MONTH_DAY, _DAY_MONTH):
        rest = pattern.sub(" ; ", rest)
    found += _long_numbers(rest)
    found += [Entity(Kind.NUMBER, number(match.group()) or "") for match in _NUMBER.finditer(rest)]
    return found[:ENTITIES_MAX]


def reaching(text: str) -> list[Entity]:
    """Return the links, addresses and accounts that a comparable text names: what somebody can be reached by."""
    found, rest = _reaching(text)
    return (found + _long_numbers(_ISO_DATE.sub(" ; ", rest)))[:ENTITIES_MAX]


def _reaching(text: str) -> tuple[list[Entity], str]:
    """Return these but for plain long numbers, and the text without them."""
    found: list[Entity] = []
    rest = text
    for mark, kind, pattern, canonical in (
        ("@", Kind.EMAIL, _EMAIL, str),
        (".", Kind.LINK, _LINK, link),
        ("://", Kind.LINK, _LINK, link),
        ("", Kind.ACCOUNT, _ACCOUNT, _joined),
    ):
        if mark in rest and (named := [match.group() for match in pattern.finditer(rest)]):
            found += [Entity(kind, canonical(name)) for name in named]
            rest = pattern.sub(" ; ", rest)
    return found, rest


def _long_numbers(text: str) -> list[Entity]:
    return [Entity(Kind.ACCOUNT, _joined(match.group())) for match in _LONG_NUMBER.finditer(text)]


WHOLE_CHARS_MAX: Final = 2_048


@lru_cache(maxsize=16_384)
def whole(text: str) -> Entity | None:
    """Return what a comparable text of at most WHOLE_CHARS_MAX is as a whole, if it is one entity and nothing else."""
    text = text.strip()
    if _EMAIL.fullmatch(text):
        return Entity(Kind.EMAIL, text)
    if (match := _LINK.fullmatch(text)) is not None:
        return Entity(Kind.LINK, link(match.group()))
    if _ACCOUNT.fullmatch(text) or _LONG_NUMBER.fullmatch(text):
        return Entity(Kind.ACCOUNT, _joined(text))
    if (date := _whole_date(text)) is not None:
        return Entity(Kind.DATE, date)
    exact = number(text)
    return Entity(Kind.NUMBER, exact) if exact is not None else None


def link(text: str) -> str:
    """Return the canonical form of a link: no scheme of the web, host in punycode, no default port, decoded once."""
    text = text.rstrip(_TRAILING)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    try:
        parts = urlsplit("//" + rest)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return text
    name = _ascii_host(host)
    at = "" if port is None or port == _DEFAULT_PORTS.get(scheme) or (port == 443 and not scheme) else f":{port}"
    who = f"{parts.username}@" if parts.username else ""
    shown = "" if scheme in {"http", "https", ""} else f"{scheme}://"
    path = unquote(parts.path).rstrip("/")
    query = f"?{unquote(parts.query)}" if parts.query else ""
    fragment = f"#{unquote(parts.fragment)}" if parts.fragment else ""
    return f"{shown}{who}{name}{at}{path}{query}{fragment}"


def number(text: str) -> str | None:
    """Return a number in its shortest exact form, `1234.5`; None if the text is not one."""
    text = text.strip()
    if len(text) > NUMBER_CHARS_MAX or not _NUMBER.fullmatch(text):
        return None
    try:
        value = Decimal(text.replace(",", "")).normalize()
    except InvalidOperation:
        return None
    return f"{value:f}" if abs(value) < Decimal(10) ** 30 else None


def _dates(text: str) -> Iterator[str]:
    for year, month, day in _ISO_DATE.findall(text):
        yield _date(year, int(month), int(day))
    for name, day, year in _MONTH_DAY.findall(text):
        yield _date(year or ANY_YEAR, 1 + _MONTHS.index(name[:3]), int(day))
    for day, name, year in _DAY_MONTH.findall(text):
        yield _date(year or ANY_YEAR, 1 + _MONTHS.index(name[:3]), int(day))


def _date(year: str, month: int, day: int) -> str:
    return f"{year}-{month:02}-{day:02}"


_TIME = re.compile(r"[t ,]*(?:\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:z|[+-]\d{2}:?\d{2})?")


def _whole_date(text: str) -> str | None:
    """Return the day of a text that is a date, perhaps with a time of day: who names a day names its hours."""
    match = _ISO_DATE.match(text)
    if match is None or not _TIME.fullmatch(text[match.end() :]):
        return None
    return _date(match.group(1), int(match.group(2)), int(match.group(3)))


def _joined(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def of_value(value: object) -> Entity | None:
    """Return what a JSON scalar is as a whole."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float | Decimal):
        exact = number(format(Decimal(repr(value) if isinstance(value, float) else str(value)), "f"))
        return Entity(Kind.NUMBER, exact) if exact is not None else None
    text = str(value)
    return whole(plain(text)) if len(text) <= WHOLE_CHARS_MAX else None
