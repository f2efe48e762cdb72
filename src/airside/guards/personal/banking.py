"""International bank account numbers (ISO 13616: check digits modulo 97, a length for each country)."""

from collections.abc import Iterator
from typing import Final

import re2
from stdnum import iban

from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX, after_word
from airside.guards.personal.spotted import Spotted

_BEGIN: Final = re2.compile(rb"\b[A-Za-z]{2}[0-9]{2}[ -]?[0-9A-Za-z]{4}")
LENGTHS: Final = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FK", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("BF", "BJ", "CG", "CI", "CM", "FR", "GA", "GF", "GP", "GR", "IT", "MC", "MG", "ML", "MQ"), 27),
    **dict.fromkeys(("MR", "NC", "PF", "PM", "RE", "SM", "SN", "TF", "TG", "WF", "YT", "DJ"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "GW", "HN", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
    "BI": 27,
}


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the IBANs in a text."""
    data, at = plain.parts, 0
    for _ in range(CHECKED_MAX):
        match = _BEGIN.search(data, at)
        if match is None:
            return
        start = match.start()
        end = _end(data, start)
        if end is not None and plain.apart(start, end) and _valid(plain.text[start:end]):
            yield Spotted("iban", "IBAN", start, end)
            at = end
        else:
            at = after_word(data, start, match.end())
    rest = _BEGIN.search(data, at)
    if rest is not None:
        yield Spotted("iban.unchecked", "IBAN", rest.start(), len(data), 0.3)


def _end(data: bytes, start: int) -> int | None:
    """Return where as many letters and digits have been read as the country's numbers have; single gaps are skipped."""
    missing = LENGTHS.get(data[start : start + 2].decode().upper(), 0)
    at, gap = start, False
    while missing and at < len(data):
        char = data[at : at + 1]
        if char.isalnum():
            missing, gap = missing - 1, False
        elif char in (b" ", b"-", b".") and not gap:
            gap = True
        else:
            return None
        at += 1
    return at if at > start and not missing else None


def _valid(number: str) -> bool:
    compact = iban.compact(number.replace(".", ""))
    return bool(iban.is_valid(compact, check_country=False))
