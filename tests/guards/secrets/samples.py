"""Keys made from the rules themselves: strings that an expression describes, with the checksums some forms have."""

import re._constants as signs
import re._parser as parser
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from random import Random
from typing import Any
from zlib import crc32

from airside.guards.secrets.checksums import base62, bech32_sum

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_MANY = 60  # where an expression sets no end


def drawn(expression: str, random: Random) -> str:
    """Return a string that an expression describes."""
    return "".join(_part(sign, value, random) for sign, value in parser.parse(expression))


def _part(sign: Any, value: Any, random: Random) -> str:
    if sign is signs.LITERAL:
        return chr(value)
    if sign is signs.IN:
        return random.choice(_members(value))
    if sign is signs.MAX_REPEAT:
        low, high, inner = value
        times = random.randint(low, min(int(high), low + _MANY))
        return "".join(_part(*one, random) for _ in range(times) for one in inner)
    if sign is signs.SUBPATTERN:
        return "".join(_part(*one, random) for one in value[3])
    if sign is signs.BRANCH:
        return "".join(_part(*one, random) for one in random.choice(value[1]))
    raise AssertionError(f"an expression of a kind that samples cannot be made of: {sign}")


def _members(parts: Any) -> str:
    if parts[0][0] is signs.NEGATE:
        return "abcdefghkmpqrstuvwxyz23456789"
    found = ""
    for sign, value in parts:
        found += chr(value) if sign is signs.LITERAL else "".join(map(chr, range(value[0], value[1] + 1)))
    return found


def _crc32(prefix: str, random: Random) -> str:
    body = drawn("[A-Za-z0-9]{30}", random)
    return prefix + body + base62(crc32(body.encode()))


def _base58(data: bytes) -> str:
    number = int.from_bytes(data + sha256(sha256(data).digest()).digest()[:4], "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return digits


def _bech32(prefix: str, random: Random) -> str:
    name = prefix.lower().rstrip("1")
    values = [random.randrange(32) for _ in range(52)]
    head = [*(ord(c) >> 5 for c in name), 0, *(ord(c) & 31 for c in name)]
    total = bech32_sum([*head, *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [total >> 5 * (5 - place) & 31 for place in range(6)]
    return (name + "1" + "".join(_BECH32[value] for value in values)).upper()


def _wif(prefix: str, random: Random) -> str:
    short = prefix.startswith("5")
    while True:
        value = _base58(b"\x80" + random.randbytes(32) + (b"" if short else b"\x01"))
        if value.startswith(prefix):
            return value


def _extended(prefix: str, random: Random) -> str:
    version = {"xprv": "0488ade4", "yprv": "049d7878", "zprv": "04b2430c", "tprv": "04358394"}[prefix]
    return _base58(bytes.fromhex(version) + bytes(9) + random.randbytes(32) + b"\0" + random.randbytes(32))


def _discord(prefix: str, random: Random) -> str:
    while True:
        user = b64encode(str(random.randint(10**17, 10**19 - 1)).encode()).decode().rstrip("=")
        if user.startswith(prefix):
            return f"{user}.{drawn('[A-Za-z0-9]{6}', random)}.{drawn('[A-Za-z0-9_-]{27}', random)}"


def _storage(prefix: str, random: Random) -> str:
    return prefix + b64encode(random.randbytes(64)).decode()


def _envelope(prefix: str, random: Random) -> str:
    filler = random.randbytes(90).hex().encode()
    body = b64encode(b'{"iat":17123,"url":"https://keys.test","region_url":"%s"}' % filler)
    return prefix + body.decode().rstrip("=") + ("_" + drawn("[A-Za-z0-9]{43}", random) if "sntry" in prefix else "")


SUMMED: Mapping[str, Callable[[str, Random], str]] = {
    "github_token": _crc32,
    "npm_token": _crc32,
    "age_secret_key": _bech32,
    "bitcoin_private_key": _wif,
    "bitcoin_extended_key": _extended,
    "discord_bot_token": _discord,
    "azure_account_key": _storage,
    "sentry_org_token": _envelope,
    "onepassword_service_token": _envelope,
}
"""Rules whose keys have a checksum or an inner structure, each with what makes a valid one."""
