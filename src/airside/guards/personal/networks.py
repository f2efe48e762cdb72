"""Addresses of machines: IP (v4 and v6) and MAC. Versions and section numbers look alike, loopback is nobody's."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import Final

import re2

from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

_OCTET: Final = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4: Final = re2.compile(rb"\b" + _OCTET + rb"(?:\." + _OCTET + rb"){3}\b")
_V6: Final = re2.compile(rb"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?")
_MAC: Final = re2.compile(
    rb"\b(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    rb"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})\b"
)
_NETWORK: Final = re.compile(rb"/[0-9]{1,3}(?![0-9.])")  # what follows is a network, nobody's address
_NUMBERED: Final = (b"v", b"version", b"ver", b"release", b"build", b"section", b"chapter", b"firmware", b"oid", b"rev")


def find_ip(plain: Plain) -> Iterator[Spotted]:
    """Yield the IP addresses in a text that may be somebody's."""
    for match in islice(_V4.finditer(plain.data), CHECKED_MAX):
        start, end = match.span()
        if (
            plain.apart(start, end)
            and not _numbered(plain.data[max(start - 12, 0) : start])
            and _somebodys(match.group())
        ):
            yield Spotted("ipv4", "IP", start, end)
    if plain.data.count(b":") > 1:
        for match in islice(_V6.finditer(plain.data), CHECKED_MAX):
            found, start = match.group(), match.start()
            end = start + len(found)
            if _hextets(found) and _single(plain, start, end) and _somebodys(found):
                yield Spotted("ipv6", "IP", start, end)


def find_mac(plain: Plain) -> Iterator[Spotted]:
    """Yield the MAC addresses in a text."""
    if not plain.has_digits and b":" not in plain.data:
        return
    for match in islice(_MAC.finditer(plain.data), CHECKED_MAX):
        start, end = match.span()
        plainly_none = set(match.group().lower()) - set(b":-.0") and set(match.group().lower()) - set(b":-.f")
        beside = plain.data[end : end + 1], plain.data[max(start - 1, 0) : start]
        if plainly_none and plain.apart(start, end) and b":" not in beside[:1]:
            yield Spotted("mac", "MAC", start, end)


def _single(plain: Plain, start: int, end: int) -> bool:
    return plain.apart(start, end) and not _NETWORK.match(plain.data, end)


def _numbered(before: bytes) -> bool:
    words = before.lower().rstrip(b" .:#=").replace(b'"', b"").split()
    return bool(words) and words[-1].endswith(_NUMBERED) and words[-1] in _NUMBERED


def _hextets(found: bytes) -> bool:
    """Whether something has what code with `::` and times have not: several groups, and digits."""
    groups = [group for group in found.split(b":") if group]
    return len(groups) > 2 and any(48 <= byte <= 57 for byte in found) and (b"::" in found or len(groups) > 6)


def _somebodys(found: bytes) -> bool:
    try:
        address = ip_address(found.decode())
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        return not (address.is_loopback or address.is_unspecified or address.is_multicast)
    return isinstance(address, IPv4Address) and not (
        address.is_loopback or address.is_multicast or address.is_unspecified or address.packed[0] in (0, 255)
    )
