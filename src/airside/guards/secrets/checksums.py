"""Checksums and inner structures by which keys can be verified without asking their provider."""

import binascii
import json
from base64 import b64decode, urlsafe_b64decode
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def crc32_base62(value: str) -> bool:
    """Whether the last six characters are the CRC-32 of those between the prefix and them, in base 62.

    GitHub's and npm's tokens: "Behind GitHub's new authentication token formats", github.blog, 2021.
    """
    body = value[value.index("_") + 1 :]
    return base62(crc32(body[:-6].encode())) == body[-6:]


def base62(number: int) -> str:
    """Return a number in base 62, six digits."""
    digits = []
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def base58check(value: str) -> bool:
    """Whether the last four bytes of a base 58 value are the double SHA-256 of the rest (Bitcoin's WIF and xprv)."""
    number = 0
    for character in value:
        digit = _BASE58.find(character)
        if digit < 0:
            return False
        number = number * 58 + digit
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return len(data) > 4 and sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def bech32(value: str) -> bool:
    """Whether a Bech32 value (BIP 173) carries its checksum; age's secret keys do."""
    prefix, _, data = value.lower().rpartition("1")
    values = [_BECH32.find(character) for character in data]
    if not prefix or len(values) < 6 or -1 in values:
        return False
    return bech32_sum([*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values]) == 1


def bech32_sum(values: list[int]) -> int:
    """Return the polymod of BIP 173."""
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            total ^= step if top >> bit & 1 else 0
    return total


def decoded(value: str) -> bytes | None:
    """Return what a base64 value (either alphabet, with or without padding) says, or None."""
    bare = value.rstrip("=")
    try:
        padded = bare + "=" * (-len(bare) % 4)
        return urlsafe_b64decode(padded) if "-" in bare or "_" in bare else b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        return None


def decoded_json(value: str) -> Any:
    """Return what a base64 value says in JSON, or None."""
    data = decoded(value)
    try:
        return None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None


def jwt(value: str) -> bool:
    """Whether a value is a JSON Web Token or its encrypted form (RFC 7519): its header names an algorithm."""
    header = decoded_json(value.partition(".")[0])
    return isinstance(header, dict) and ("alg" in header or "enc" in header)


def json_body(value: str) -> bool:
    """Whether what follows the first underscore is JSON in base64 (1Password's and Sentry's tokens)."""
    return isinstance(decoded_json(value.partition("_")[2].rpartition("_")[0] or value.partition("_")[2]), dict)


def storage_key(value: str) -> bool:
    """Whether a value is 64 bytes in base64, as keys of Azure's storage are."""
    data = decoded(value)
    return data is not None and len(data) == 64


def discord_token(value: str) -> bool:
    """Whether the first part is a user's number in base64, as in tokens of Discord's bots."""
    data = decoded(value.partition(".")[0])
    return data is not None and data.isdigit() and 15 <= len(data) <= 20
