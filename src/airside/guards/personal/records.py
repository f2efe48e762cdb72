"""Numbers that only a word tells from others: passports, driving licences, patients' files, bank accounts.

They have no checksum to speak of, so that a word near them is always required, and the nearest word decides.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import re2

from airside.guards.personal.context import AFTER_CHARS, BEFORE_CHARS, Contexts, listed, near_any
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

_NINE: Final = ord("9")
_LABELLED_SCORE: Final = 0.8
_NUMBER: Final = re2.compile(
    rb"\b(?:[A-Za-z]{1,6}[ -]?)?[0-9][0-9A-Za-z]*(?:[ /-][0-9A-Za-z]{0,4}[0-9][0-9A-Za-z]*){0,4}\b"
)
_LEADING_WORD: Final = re2.compile(rb"^[A-Za-z]{4,}[ -]|^[A-Za-z]+ ")


class Label(NamedTuple):
    """A kind of number, the words that speak of it, and how many digits and characters it has."""

    rule: str
    kind: str
    words: tuple[str, ...]
    chars: range
    digits_min: int


PASSPORTS: Final = listed(
    "passport|passport no|reisepass|passnummer|passeport|pasaporte|passaporto|passaporte|paspoort|paszport",
    "útlevél|пасспорт|паспорт|护照|護照|パスポート|旅券|여권|جواز سفر|pasaport|pasfoto nr",
    "διαβατήριο|pașaport|passi number|pasport",
)
LICENCES: Final = listed(
    "driver's license|driver’s license|drivers license|driver license|driving licence|driver licence",
    "driving license|driver's licence|dl number|dl no|dl#|licence number|führerschein|fuehrerschein",
    "permis de conduire|licencia de conducir|permiso de conducir|carnet de conducir|patente di guida|patente",
    "carta de condução|cnh|rijbewijs|prawo jazdy|körkort|kørekort|førerkort|ajokortti",
    "водительское удостоверение|водительские права|驾驶证|運転免許|운전면허|sürücü belgesi|ehliyet|vezetői engedély",
    "řidičský průkaz|رخصة قيادة|license number|dln",
)
PATIENTS: Final = listed(
    "mrn|medical record|patient id|patient no|patient number|chart number|hospital number|health record",
    "patientennummer|patienten-id|patienten-nr|krankenaktennummer|fallnummer|dossier médical",
    "numéro de patient|numéro patient|n° patient|ipp|historia clínica|historia clinica|número de paciente",
    "cartella clinica|prontuário|prontuario|número do paciente|patiëntnummer|numer pacjenta|journalnummer",
    "potilasnumero|номер пациента|медицинской карты|病历号|患者番号|診察券番号|환자번호|등록번호|رقم المريض",
    "health card|health insurance number|krankenversichertennummer|versichertennummer|kvnr|medicare number|mbi|ehic",
)
ACCOUNTS: Final = listed(
    "account number|account no|acct|bank account|a/c no|kontonummer|kontonr|konto-nr|numéro de compte",
    "numero de compte|número de cuenta|numero de cuenta|numero di conto|conta bancária|conta corrente",
    "rekeningnummer|numer konta|bankszámlaszám|číslo účtu|номер счета|номер счёта|расчётный счет|口座番号",
    "银行账号|账号|계좌번호|رقم الحساب|tilinumero|hesap no|sort code|routing number|routing no|aba number|clabe",
)

LABELS: Final = (
    Label("passport", "PASSPORT", PASSPORTS, range(6, 13), 4),
    Label("driver_licence", "DRIVER_LICENCE", LICENCES, range(5, 21), 4),
    Label("medical_record", "MEDICAL_RECORD", PATIENTS, range(4, 17), 4),
    Label("bank_account", "BANK_ACCOUNT", ACCOUNTS, range(6, 24), 6),
)
_LABELS: Final = {label.rule: label for label in LABELS}
_CONTEXTS: Final = Contexts((word, label.rule) for label in LABELS for word in label.words)


def find(plain: Plain) -> Iterator[Spotted]:
    """Yield the numbers in a text that are called something."""
    places = _CONTEXTS.places(plain.text) if plain.has_digits else ()
    numbers = _NUMBER.finditer(plain.parts) if places is None else _numbers(plain.parts, places)
    for match in islice(numbers, CHECKED_MAX):
        start, end = match.span()
        if plain.parts[start] > _NINE:
            word = _LEADING_WORD.search(plain.parts[start:end])
            start += word.end() if word else 0
        if near_any(places, start, end) and plain.apart(start, end):
            yield from _called(plain, start, end)


def _numbers(parts: bytes, places: Sequence[int]) -> "Iterator[re2._Match[bytes]]":
    """Yield the numbers on the lines that are near a word: no number goes on behind a line's end."""
    at = 0
    for place in places:
        begin = max(at, parts.rfind(b"\n", 0, max(place - AFTER_CHARS, 0)) + 1)
        until = parts.find(b"\n", max(begin, place + BEFORE_CHARS))
        until = len(parts) if until < 0 else until
        if begin < until:
            yield from _NUMBER.finditer(parts, begin, until)
            at = until


def _called(plain: Plain, start: int, end: int) -> Iterator[Spotted]:
    near = _CONTEXTS.near(plain.text, start, end)
    if not near:
        return
    label = _LABELS[min(near, key=lambda rule: (near[rule], rule))]
    chars = [byte for byte in plain.parts[start:end] if byte not in b" /-"]
    digits = [byte for byte in chars if byte in b"0123456789"]
    if len(chars) in label.chars and len(digits) >= label.digits_min and len(set(digits)) > 1:
        yield Spotted(label.rule, label.kind, start, end, _LABELLED_SCORE)
