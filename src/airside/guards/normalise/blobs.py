"""Stretches that are text in another alphabet: base64, base32, hex, binary, decimal codes, Morse; compressed too.

A candidate is a long run of the alphabet's characters; it counts if what comes out is text. Ordinary words pass the
first test and fail the second at the price of a microsecond.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import re2

INFLATED_MAX: Final = 262_144  # bytes that may come out of one compressed blob
PRINTABLE_MIN: Final = 0.95  # share of characters, below which something decoded is no text
INFLATED_RATIO_MAX: Final = 16  # times what was compressed; text hardly reaches 10
_SHORTEST: Final = 5  # characters that something decoded must have

_TOKEN: Final = re2.compile(
    r"(?:[A-Za-z0-9+/_-]{60,}[ \t]*\r?\n[ \t]*)+[A-Za-z0-9+/_-]{4,}={0,6}|[A-Za-z0-9+/_-]{16,}={0,6}"
)
_SPACED: Final = re2.compile(
    "|".join(
        (
            r"(?P<binary>(?:[01]{7,8}[ ,\n]{1,2}){4,}[01]{7,8})",
            r"(?P<decimal>(?:[0-9]{2,3}[ ,;\n]{1,2}){7,}[0-9]{2,3})",
            r"(?P<hex>(?:(?:0x)?[0-9A-Fa-f]{2}[ :,\n-]{1,2}){7,}(?:0x)?[0-9A-Fa-f]{2})",
            r"(?P<morse>(?:[.\-_]{1,6}[ /|\n]{1,3}){7,}[.\-_]{1,6})",
        )
    )
)
_SPACED_NAMES: Final = _SPACED.groupindex
_HEX: Final = b"0123456789abcdefABCDEF"
_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567"
_CONTROLS: Final = bytes(code for code in range(256) if (code < 32 and code not in b"\t\n\r") or code == 127)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789.,?/-"
_CODES: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
    "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--.. -..-. -....-"
)
_MORSE: Final = dict(zip(_CODES.split(" "), _LETTERS, strict=True))


def blobs(plain: bytes) -> Iterator[tuple[str, str, int, int]]:
    """Yield names of encodings, what was encoded, and where: characters of a form, given in ASCII."""
    for match in _TOKEN.finditer(plain):
        for name, text in _token(match.group()):
            yield name, text, *match.span()
    for match in _SPACED.finditer(plain):
        group = next(name for name, index in _SPACED_NAMES.items() if match.start(index) >= 0)
        said = _DECODERS[group](match.group())
        if said is not None:
            yield group, said, *match.span()


def _token(token: bytes) -> Iterator[tuple[str, str]]:
    """Yield what a token may say."""
    if not token.translate(None, _WORDS):  # a long word, a path: encodings make capitals and digits
        return
    tight = b"".join(token.split()) if b"\n" in token else token
    bare = tight.rstrip(b"=")
    for name, decode in _ENCODINGS[:2] if bare.isdigit() else _ENCODINGS:
        data = decode(bare)
        text = plausible(data) if data else None
        if text is not None:
            yield name, text
            return


_WORDS: Final = b"abcdefghijklmnopqrstuvwxyz-_/+="


def _unhex(bare: bytes) -> bytes | None:
    return None if bare.translate(None, _HEX) else binascii.unhexlify(bare[: len(bare) & ~1])


def _base64(bare: bytes) -> bytes | None:
    bare = bare[: len(bare) - 1] if len(bare) % 4 == 1 else bare
    data = bare.translate(_URL_SAFE) if b"-" in bare or b"_" in bare else bare
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return None


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def _base32(bare: bytes) -> bytes | None:
    if bare.translate(None, _BASE32) or not (bare.isupper() or bare.islower()):
        return None
    try:
        return base64.b32decode(bare + b"=" * (-len(bare) % 8), casefold=True)
    except (binascii.Error, ValueError):
        return None


def _bits(bare: bytes) -> bytes | None:
    if len(bare) % 8 or bare.translate(None, b"01"):
        return None
    return int(bare, 2).to_bytes(len(bare) // 8, "big") if len(bare) <= 1 << 16 else None


_ENCODINGS: Final[Sequence[tuple[str, Callable[[bytes], bytes | None]]]] = (
    ("hex", _unhex),
    ("binary", _bits),
    ("base32", _base32),
    ("base64", _base64),
)


def _binary(run: bytes) -> str | None:
    return plausible(bytes(int(word, 2) for word in run.replace(b",", b" ").split()))


def _decimal(run: bytes) -> str | None:
    codes = [int(word) for word in run.replace(b",", b" ").replace(b";", b" ").split()]
    return plausible(bytes(codes)) if max(codes) < 256 else None


def _hex(run: bytes) -> str | None:
    return plausible(binascii.unhexlify(run.replace(b"0x", b"").translate(None, b" :,\n-")))


def _morse(run: bytes) -> str | None:
    words = run.decode("ascii").replace("_", "-").replace("|", "/").replace("\n", " / ").replace("   ", " / ")
    letters = words.replace("/", " / ").split()
    said = "".join(" " if letter == "/" else _MORSE.get(letter, "\0") for letter in letters)
    return said if said.count("\0") * 10 < len(said) and len(set(said)) > 3 else None


_DECODERS: Final[Mapping[str, Callable[[bytes], str | None]]] = {
    "binary": _binary,
    "decimal": _decimal,
    "hex": _hex,
    "morse": _morse,
}


def plausible(data: bytes) -> str | None:
    """Return bytes as text if they are text, perhaps compressed or in UTF-16; else None."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2], "big") % 31 == 0):
        data = _inflated(data) or data
    if not data.isascii():
        return _unicode(data)
    if data[1::2].count(0) > len(data) // 3:
        return _unicode(data.decode("utf-16-le", "replace").encode())
    if len(data) < _SHORTEST or len(data.translate(None, _CONTROLS)) < PRINTABLE_MIN * len(data):
        return None
    return data.decode("ascii")


def _unicode(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    strange = sum(not (character.isprintable() or character in "\t\n\r") for character in text)
    letters = sum(character.isalpha() or character.isspace() for character in text)
    fits = len(text) >= _SHORTEST and strange <= (1 - PRINTABLE_MIN) * len(text) and 2 * letters > len(text)
    return text if fits else None


def _inflated(data: bytes) -> bytes | None:
    """Return what was compressed, as far as the bound allows."""
    room = min(INFLATED_MAX, INFLATED_RATIO_MAX * len(data))
    try:
        return zlib.decompressobj(wbits=47).decompress(data, room)  # 47: gzip or zlib, by the header
    except zlib.error:
        return None
