"""Checks of national numbers that python-stdnum lacks or is laxer about, from what the offices publish."""

import re
from datetime import date
from typing import Final

_NINO: Final = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")
_NINO_NEVER: Final = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
_SEPARATED: Final = str.maketrans("", "", " -./()")


def _compact(number: str) -> str:
    return number.translate(_SEPARATED).upper()


def nino(number: str) -> bool:
    """National Insurance numbers (HMRC, NIM39110): letters that are used, no temporary prefix."""
    compact = _compact(number)
    return _NINO.fullmatch(compact) is not None and compact[:2] not in _NINO_NEVER


def danish(number: str) -> bool:
    """CPR numbers: a date and a serial; since 2007 there need not be a check digit."""
    compact = _compact(number)
    return len(compact) == 10 and _day(int(compact[4:6]), int(compact[2:4]), int(compact[:2]))


def latvian(number: str) -> bool:
    """Personas kods: those from before 2017 have a date, those since begin with 32."""
    compact = _compact(number)
    return compact[:2] == "32" or _day(int(compact[4:6]), int(compact[2:4]), int(compact[:2]))


def german_pension(number: str) -> bool:
    """Versicherungsnummer (VKVV, § 2 and 4): area, date of birth, initial, serial, check digit."""
    compact = _compact(number)
    day, month = int(compact[2:4]), int(compact[4:6])
    if not 1 <= month <= 12 or not 1 <= (day - 50 if day > 50 else day) <= 31 or compact[:2] < "02":
        return False
    digits = compact[:8] + f"{ord(compact[8]) - 64:02d}" + compact[9:11]
    total = sum(_across(int(digit) * weight) for digit, weight in zip(digits, _GERMAN_WEIGHTS, strict=True))
    return total % 10 == int(compact[11])


_GERMAN_WEIGHTS: Final = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)


def _across(value: int) -> int:
    return value // 10 + value % 10


def hungarian_tax(number: str) -> bool:
    """Adóazonosító jel: begins with 8, check digit of positions modulo 11."""
    total = sum(int(digit) * place for place, digit in enumerate(number[:9], 1))
    return number[0] == "8" and total % 11 == int(number[9])


def snils(number: str) -> bool:
    """СНИЛС: nine digits and a sum modulo 101."""
    compact = _compact(number)
    total = sum(int(digit) * weight for digit, weight in zip(compact[:9], range(9, 0, -1), strict=True)) % 101
    return len(compact) == 11 and total % 100 == int(compact[9:])


def cypriot(number: str) -> bool:
    """TIC of a person: begins with 0 or 9, letter by table."""
    odd = {0: 1, 1: 0, 2: 5, 3: 7, 4: 9, 5: 13, 6: 15, 7: 17, 8: 19, 9: 21}
    total = sum(odd[int(digit)] if place % 2 == 0 else int(digit) for place, digit in enumerate(number[:8]))
    return number[0] in "09" and chr(65 + total % 26) == number[8]


def medicare(number: str) -> bool:
    """Australian Medicare: first digit 2 to 6, weighted sum of eight digits."""
    compact = _compact(number)
    if not compact.isdigit() or compact[0] not in "23456":
        return False
    total = sum(int(digit) * weight for digit, weight in zip(compact, (1, 3, 7, 9, 1, 3, 7, 9), strict=False))
    return total % 10 == int(compact[8])


def my_number(number: str) -> bool:
    """Individual numbers of Japan: check digit modulo 11 (ministerial order 85 of 2014)."""
    compact = _compact(number)
    digits = [int(digit) for digit in reversed(compact[:11])]
    total = sum(digit * (place + 1 if place <= 6 else place - 5) for place, digit in enumerate(digits, 1))
    rest = total % 11
    return len(set(compact)) > 2 and int(compact[11]) == (0 if rest <= 1 else 11 - rest)


def singapore(number: str) -> bool:
    """NRIC and FIN: weighted digits, the letter by the series."""
    first, letters = number[0], {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
    if first not in letters:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += 4 if first in "TG" else 0
    return letters[first][total % 11] == number[8]


def hong_kong(number: str) -> bool:
    """HKID: one or two letters, six digits, a check digit modulo 11."""
    compact = _compact(number)
    body = compact[:-1].rjust(8)
    values = [36 if char == " " else int(char) if char.isdigit() else ord(char) - 55 for char in body]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return "0123456789A"[(11 - total % 11) % 11] == compact[-1]


def taiwan(number: str) -> bool:
    """National identification card: a letter for the place of registration, sex, serial, check digit."""
    place = _TAIWAN_PLACES.index(number[0]) + 10
    if number[1] not in "1289":
        return False
    digits = [place // 10, place % 10, *map(int, number[1:])]
    return (
        sum(digit * weight for digit, weight in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
    )


_TAIWAN_PLACES: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def _day(year: int, month: int, day: int) -> bool:
    """Whether there is such a day in this or the last century."""
    for century in (1900, 2000):
        try:
            date(century + year, month, day)
        except ValueError:
            continue
        return True
    return False
