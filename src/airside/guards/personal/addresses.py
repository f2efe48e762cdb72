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

_PARTS: Final = {
    b"name": rb"[A-Z?][A-Za-z?'.-]{0,18}",
    b"of": rb"(?:(?:de la|de los|de las|de l'|della|delle|degli|dello|dell'|del|des|de|du|da|do|dos|das|di|d'|l') ?)?",
    b"number": rb"[0-9]{1,5}(?:[A-Za-z]|[-/][0-9]{1,4})?",
    b"city": rb"[A-Z?][A-Za-z?.'-]{1,20}(?: [A-Z?][A-Za-z?.'-]{1,20}){0,2}",
    b"gap": rb"(?:, ?|\n| ,? ?)",
    b"unit": rb"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|No|#)\.? ?#?[0-9A-Za-z-]{1,6})?",
    b"toward": rb"(?:(?:North|South|East|West|N|S|E|W)\.? )?",
    b"english": rb"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Place|Pl|Terrace"
    rb"|Ter|Way|Close|Crescent|Cres|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Turnpike|Alley|Mews|Gardens|Grove|Quay|Walk"
    rb"|Broadway|Row|Hill)\b\.?(?: (?:NE|NW|SE|SW|N|S|E|W)\b)?",
    b"french": rb"(?:rue|avenue|boulevard|place|chemin|all\?e|impasse|quai|route|cours|square|Rue|Avenue|Boulevard"
    rb"|Place|Chemin|Impasse|Quai)",
    b"suffix": rb"(?:stra(?:ss|\?)e|str\.|weg|gasse|platz|allee|ring|damm|ufer|chaussee|straat|laan|plein|gracht|kade"
    rb"|dijk|singel|gatan|v\?gen|gata|vej|gade|veien|gaten|katu|tie)",
    b"before": rb"(?:Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrera|Via|Viale|Piazza|Corso|Largo|Vicolo|Rua|Travessa"
    rb"|Pra\?a|ul\.|al\.|Rue|rue)",
}
_PLACES: Final = {
    b"us": rb"(?:%(gap)s%(city)s)?%(gap)s[A-Z]{2},? [0-9]{5}(?:-[0-9]{4})?" % _PARTS,
    b"uk": rb"(?:%(gap)s%(city)s)?%(gap)s[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}" % _PARTS,
    b"coded": rb"(?:%(gap)s(?:[A-Z]{1,2}-)?[0-9]{4,5}(?: ?[A-Z]{2}\b)?(?: %(city)s)?)?" % _PARTS,
}
_FORMS: Final = {
    "address.english": rb"\b%(number)s,? %(toward)s(?:%(name)s |[0-9]{1,3}(?:st|nd|rd|th) ){1,3}%(english)s%(unit)s"
    rb"(?:%(us)s|%(uk)s)?",
    "address.french": rb"\b[0-9]{1,4}(?: bis| ter)?,? %(french)s %(of)s%(name)s(?:[ -]%(name)s){0,3}%(coded)s",
    "address.compound": rb"\b[A-Z?][A-Za-z?-]{1,24}(?:[ -]%(name)s)?%(suffix)s %(number)s%(coded)s",
    "address.before": rb"\b%(before)s %(of)s%(name)s(?: %(of)s%(name)s){0,3},? (?:n(?:\?|o|\.)\.? ?)?"
    rb"%(number)s%(coded)s",
    "address.box": rb"\b(?:P\.? ?O\.? ?Box|Postfach|Apartado|Casella Postale|Bo\?te Postale|BP) [0-9]{1,6}",
    "address.military": rb"\b(?:Unit|PSC|CMR) [0-9]{3,5},? Box [0-9]{1,5},?[ \n](?:APO|FPO|DPO),? A[AEP] [0-9]{5}",
    "address.japanese": rb"\?[0-9]{3}-[0-9]{4}",
}
_FORM: Final = re2.compile(b"|".join(b"(%s)" % (form % (_PARTS | _PLACES)) for form in _FORMS.values()))
_RULES: Final = tuple(_FORMS)


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the postal addresses in a text."""
    if not plain.has_digits:
        return
    for match in islice(_FORM.finditer(plain.data), CHECKED_MAX):
        start, end = match.start(), match.start() + len(match.group().rstrip(b" .,'-"))
        written = plain.text[start:end]
        if "?" in written or _year(plain.text, start, written):
            continue
        rule = _RULES[next(place for place in range(len(_RULES)) if match.start(place + 1) >= 0)]
        if (rule == "address.japanese") != (written[0] == "〒"):
            continue
        yield Spotted(rule, "ADDRESS", start, end, _SCORE)


def _year(text: str, start: int, written: str) -> bool:
    """Whether what would be a house number is rather a year: `in 2024 Apple Drive sold`."""
    return (
        written[:2] in {"19", "20"}
        and written[2:5].strip().isdigit()
        and text[max(start - 8, 0) : start].endswith(_YEARS)
    )


_YEARS: Final = ("in ", "In ", "since ", "Since ", "of ", "by ", "until ", "from ", "before ", "after ")
