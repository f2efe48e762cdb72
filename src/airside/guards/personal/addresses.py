"""Postal addresses: a street and a number as they are written in a dozen countries, with the place that follows.

A street alone is no address: there is always a number, and either a word for street or a word that speaks of addresses.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import re2

from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

_SCORE: Final = 0.7

_NAME: Final = rb"[A-Z?][A-Za-z?'.-]{0,18}"
_OF: Final = rb"(?:(?:de la|de los|de las|de l'|della|delle|degli|dello|dell'|del|des|de|du|da|do|dos|das|di|d'|l') ?)?"
_NUMBER: Final = rb"[0-9]{1,5}(?:[A-Za-z]|[-/][0-9]{1,4})?"
_CITY: Final = rb"[A-Z?][A-Za-z?.'-]{1,20}(?: [A-Z?][A-Za-z?.'-]{1,20}){0,2}"
_GAP: Final = rb"(?:, ?|\n| ,? ?)"
_UNIT: Final = rb"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|No|#)\.? ?#?[0-9A-Za-z-]{1,6})?"

_ENGLISH_TYPES: Final = (
    rb"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Place|Pl|Terrace|Ter|Way|Close"
    rb"|Crescent|Cres|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Turnpike|Alley|Mews|Gardens|Grove|Quay|Walk|Broadway|Row|Hill)"
)
_US_PLACE: Final = rb"(?:" + _GAP + _CITY + rb")?" + _GAP + rb"[A-Z]{2},? [0-9]{5}(?:-[0-9]{4})?"
_UK_PLACE: Final = rb"(?:" + _GAP + _CITY + rb")?" + _GAP + rb"[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}"
_CODE_PLACE: Final = _GAP + rb"(?:[A-Z]{1,2}-)?[0-9]{4,5}(?: ?[A-Z]{2}\b)?(?: " + _CITY + rb")?"
_CODED: Final = rb"(?:" + _CODE_PLACE + rb")?"
_SUFFIXES: Final = (
    rb"(?:stra(?:ss|\?)e|str\.|weg|gasse|platz|allee|ring|damm|ufer|chaussee|straat|laan|plein|gracht|kade|dijk|singel"
    rb"|gatan|v\?gen|gata|vej|gade|veien|gaten|katu|tie)"
)
_BEFORE: Final = (
    rb"(?:Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrera|Via|Viale|Piazza|Corso|Largo|Vicolo|Rua|Travessa|Pra\?a|ul\.|al\."
    rb"|Rue|rue)"
)

_FORMS: Final = {
    "address.english": rb"\b"
    + _NUMBER
    + rb",? (?:(?:North|South|East|West|N|S|E|W)\.? )?(?:"
    + _NAME
    + rb" |[0-9]{1,3}(?:st|nd|rd|th) ){1,3}"
    + _ENGLISH_TYPES
    + rb"\b\.?(?: (?:NE|NW|SE|SW|N|S|E|W)\b)?"
    + _UNIT
    + rb"(?:"
    + _US_PLACE
    + rb"|"
    + _UK_PLACE
    + rb")?",
    "address.french": rb"\b[0-9]{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|all\?e|impasse|quai|route|cours|square"
    rb"|Rue|Avenue"
    rb"|Boulevard|Place|Chemin|Impasse|Quai) " + _OF + _NAME + rb"(?:[ -]" + _NAME + rb"){0,3}" + _CODED,
    "address.compound": rb"\b[A-Z?][A-Za-z?-]{1,24}(?:[ -]" + _NAME + rb")?" + _SUFFIXES + rb" " + _NUMBER + _CODED,
    "address.before": rb"\b"
    + _BEFORE
    + rb" "
    + _OF
    + _NAME
    + rb"(?: "
    + _OF
    + _NAME
    + rb"){0,3},? (?:n(?:\?|o|\.)\.? ?)?"
    + _NUMBER
    + _CODED,
    "address.box": rb"\b(?:P\.? ?O\.? ?Box|Postfach|Apartado|Casella Postale|Bo\?te Postale|BP) [0-9]{1,6}",
    "address.military": rb"\b(?:Unit|PSC|CMR) [0-9]{3,5},? Box [0-9]{1,5},?[ \n](?:APO|FPO|DPO),? A[AEP] [0-9]{5}",
    "address.japanese": rb"\?[0-9]{3}-[0-9]{4}",
}
_FORM: Final = re2.compile(b"|".join(rb"(?P<f%d>%s)" % (place, form) for place, form in enumerate(_FORMS.values())))
_RULES: Final = tuple(_FORMS)


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the postal addresses in a text."""
    if not plain.has_digits:
        return
    for match in islice(_FORM.finditer(plain.data), CHECKED_MAX):
        rule = _RULES[next(place for place, found in enumerate(match.groups()) if found is not None)]
        start, end = match.start(), match.start() + len(match.group().rstrip(b" .,'-"))
        written = plain.text[start:end]
        if "?" in written or (rule == "address.japanese") != (written[0] == "〒") or _year(plain.text, start, written):
            continue
        yield Spotted(rule, "ADDRESS", start, end, _SCORE)


def _year(text: str, start: int, written: str) -> bool:
    """Whether what would be a house number is rather a year: `in 2024 Apple Drive sold`."""
    return written[:2] in {"19", "20"} and written[2:5].strip().isdigit() and text[:start].endswith(_YEARS)


_YEARS: Final = ("in ", "In ", "since ", "Since ", "of ", "by ", "until ", "from ", "before ", "after ")
