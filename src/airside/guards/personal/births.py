"""Dates of birth: a date, in figures or with a month's name, behind or before a word that says so."""

from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Final

import re2

from airside.guards.personal.context import BEFORE_CHARS, Contexts, listed, near_any
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

_SCORE: Final = 0.95
_NEAR_CHARS: Final = 45
_BEHIND_CHARS: Final = 25

WORDS: Final = listed(
    "date of birth|dob|d.o.b|born|birth date|birthdate|birthday|birth day|geboren|geburtsdatum|geb.|geburtstag|né le",
    "née le|date de naissance|naissance|anniversaire|fecha de nacimiento|nacido|nacida|nació|nato il|nata il|nato a",
    "data di nascita|data de nascimento|nascido|nascida|nasceu|geboortedatum|geboren op|data urodzenia|urodzony",
    "urodzona|ur.|födelsedatum|född|fødselsdato|født|syntymäaika|syntynyt|дата рождения|родился|родилась|出生|生年月日",
    "生日|生まれ|생년월일|출생|تاريخ الميلاد|مواليد|doğum tarihi|doğum|datum narození|narozen|született|születési",
    "data nașterii|născut|ημερομηνία γέννησης|γεννήθηκε|जन्म तिथि|जन्मतिथि|ngày sinh|tanggal lahir|วันเกิด|תאריך לידה",
)
_OTHER_WORDS: Final = listed("expir|issued|valid until|valid to|issue date|gültig bis|ausgestellt|expire le|caduc|scad")
_CONTEXTS: Final = Contexts([*((word, "birth") for word in WORDS), *((word, "other") for word in _OTHER_WORDS)])

_DATE: Final = re2.compile(
    rb"\b(?:[0-9]{4}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{4}|[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{2}"
    rb"|[0-9]{1,2}(?:st|nd|rd|th)?\.? (?:de |of )?[A-Za-z?]{3,12}\.?,? (?:de |del )?[0-9]{4}"
    rb"|[A-Za-z]{3,9}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4}|[0-9]{1,2}[- /.][A-Za-z]{3}[- /.][0-9]{4}"
    rb"|[0-9]{4}\? ?[0-9]{1,2}\? ?[0-9]{1,2})\b\??"
)
_MONTHS: Final = frozenset(
    listed(
        "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|janv|févr|fév|mars|avr|juin|juil|aoû|déc|ene",
        "abr|ago|dic|gen|mag|giu|lug|set|ott|fev|out|mei|maa|maj|sty|lut|kwi|cze|lip|sie|wrz|paź|lis|gru|янв|фев|мар",
        "апр|мая|май|июн|июл|авг|сен|окт|ноя|дек|led|úno|bře|dub|kvě|čer|srp|zář|říj|pro|oca|şub|nis|haz|tem|ağu|eyl|eki|kas|ara",
        "ian|iun|iul|noi|tam|hel|huh|tou|kes|hei|elo|syy|lok|jou|ιαν|φεβ|μαρ|απρ|μαΐ|μαϊ|ιουν|ιουλ|αυγ|σεπ|οκτ|νοε|δεκ",
    )
)


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the dates of birth in a text."""
    places = _CONTEXTS.places(plain.text) if plain.has_digits else ()
    if not places and places is not None:
        return
    for match in islice(_DATE.finditer(plain.data), CHECKED_MAX):
        start, end = match.span()
        if match.group().endswith(b"?") and plain.text[end - 1] not in "日일":
            end -= 1
        if near_any(places, start, end) and plain.apart(start, end) and _day(plain.text[start:end]):
            near = _CONTEXTS.near(plain.text, start, end)
            said = near.get("birth", 1_000)
            close = said <= _NEAR_CHARS or BEFORE_CHARS <= said <= BEFORE_CHARS + _BEHIND_CHARS
            if close and said < near.get("other", 1_000):
                yield Spotted("date_of_birth", "DATE_OF_BIRTH", start, end, _SCORE)


def _day(written: str) -> bool:
    """Whether something is a day that somebody may have been born on."""
    numbers = [int(part) for part in "".join(char if char.isdigit() else " " for char in written).split()]
    if len(numbers) == 2:
        letters = "".join(char if char.isalpha() else " " for char in written.casefold()).split()
        known = any(word[:length] in _MONTHS for word in letters for length in (3, 4))
        return known and 1 <= numbers[0] <= 31 and 1900 <= numbers[1] <= 2099
    if len(numbers) != 3:
        return False
    year, month, day = numbers if numbers[0] > 31 else (numbers[2], numbers[1], numbers[0])
    year += 1900 if year < 100 else 0
    return 1900 <= year <= 2099 and (_exists(year, month, day) or _exists(year, day, month))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
