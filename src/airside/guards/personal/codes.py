"""Long codes of letters and digits: wallets of cryptocurrencies (with their checksums) and vehicles."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

import re2
from stdnum import bitcoin

from airside.guards.personal.context import Contexts
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import ALONE, CHECKED_MAX
from airside.guards.personal.spotted import Spotted

_WALLET: Final = re2.compile(
    rb"\b(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc1|BC1)[02-9A-Zac-hj-np-z]{11,71}|0[xX][0-9A-Fa-f]{40}"
    rb"|[LMD][1-9A-HJ-NP-Za-km-z]{33}|T[1-9A-HJ-NP-Za-km-z]{33})\b"
)
_VEHICLE: Final = re2.compile(rb"\b[A-HJ-NPR-Za-hj-npr-z0-9]{13}[0-9]{4}\b")
_VEHICLES: Final = Contexts(
    (word, "vehicle")
    for word in (
        *("vin", "vehicle identification", "chassis", "fahrgestellnummer", "fahrzeug-ident", "numéro de châssis"),
        *("bastidor", "telaio", "chassi", "车架号", "車台番号", "차대번호", "numer vin"),
    )
)
_BASE58: Final = {
    char: value for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}

_LETTERS: Final = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)), strict=True))
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def find_wallets(plain: Plain) -> Iterator[Spotted]:
    """Yield the addresses of wallets in a text: Bitcoin and its kin, Ethereum and its kin, Tron."""
    for match in islice(_WALLET.finditer(plain.data), CHECKED_MAX):
        start, end = match.span()
        if plain.apart(start, end) and _wallet(match.group().decode()):
            yield Spotted("wallet", "WALLET", start, end)


def _wallet(found: str) -> bool:
    if found[:2].lower() == "0x":
        return len(set(found[2:].lower())) > 6
    if found[:3].lower() == "bc1":
        return bool(bitcoin.is_valid(found))
    return base58_checked(found)


def base58_checked(found: str) -> bool:
    """Whether a text in Base58Check ends with the first four bytes of the double SHA-256 of what is before them."""
    value = 0
    for char in found:
        value = value * 58 + _BASE58[char]
    if value.bit_length() > 200:
        return False
    data = value.to_bytes(25, "big")
    return sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def find_vehicles(plain: Plain) -> Iterator[Spotted]:
    """Yield the identification numbers of vehicles in a text."""
    for match in islice(_VEHICLE.finditer(plain.data), CHECKED_MAX):
        start, end = match.span()
        number = match.group().decode().upper()
        if not plain.apart(start, end) or not vehicle(number):
            continue
        if checked_vehicle(number):
            yield Spotted("vehicle", "VEHICLE", start, end, ALONE)
        elif "vehicle" in _VEHICLES.near(plain.text, start, end):
            yield Spotted("vehicle.in_context", "VEHICLE", start, end)


def checked_vehicle(number: str) -> bool:
    """Whether a vehicle identification number has the check digit of North America."""
    values = [int(char) if char.isdigit() else _LETTERS.get(char, 99) for char in number]
    if 99 in values or number.isdigit() or len(set(number)) < 5:
        return False
    rest = sum(value * weight for value, weight in zip(values, _WEIGHTS, strict=True)) % 11
    return "0123456789X"[rest] == number[8]


def vehicle(number: str) -> bool:
    """Whether something can be the number of a vehicle: no I, O or Q, digits at its end."""
    return set(number).isdisjoint("IOQ") and not number.isdigit() and number[-4:].isdigit() and len(set(number)) > 4
