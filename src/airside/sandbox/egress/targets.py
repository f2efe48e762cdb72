"""What a client asks to be connected to, and whether it may be: the decision of the egress proxy, pure.

A host is a name or a plain address, and means the same to everybody who reads it. Numbers in other clothes (decimal,
octal, hexadecimal, with too few parts), which some resolvers take for addresses and some for names, are refused.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from airside.core.addresses import is_public

HOST_CHARS_MAX: Final = 253
PORT_MAX: Final = 65_535
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*", re.ASCII)


class TargetError(Exception):
    """This is no host and port, or one that means different things to different readers."""


class Target(Struct, frozen=True):
    """A host (a name in lower case, or an address in its one canonical form) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str, default_port: int | None = None) -> Target:
    """Return the target that `host:port` names; raises TargetError."""
    host, port = _split(text)
    if not port and default_port is not None:
        port = str(default_port)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= PORT_MAX):
        raise TargetError(f"{port[:10]!r} is no port")
    return Target(_host(host), int(port))


def allowed(target: Target, patterns: Sequence[str]) -> bool:
    """Whether a list of `HOST:PORT` and `*.HOST:PORT` has a target in it."""
    for pattern in patterns:
        below = pattern.startswith("*.")
        wanted = parse(pattern.removeprefix("*."))
        if wanted.port != target.port:
            continue
        if (target.host.endswith("." + wanted.host) and not _is_address(target.host)) if below else target == wanted:
            return True
    return False


def reachable(address: str, *, private: bool) -> bool:
    """Whether an address that a name was resolved to may be connected to.

    Public ones may; `private` adds loopback and private networks, but never link-local ones, where clouds keep their
    metadata service, nor what is no single host (multicast, unspecified, reserved).
    """
    if is_public(address):
        return True
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = inner or ip
    refused = ip.is_link_local or ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback)
    return private and (ip.is_private or ip.is_loopback) and not refused


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise TargetError("an IPv6 address stands in brackets, then comes a colon and the port")
        return f"[{host}]", port[1:]
    host, _, port = text.partition(":")
    return host, port


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise TargetError("this is no IPv6 address") from None
    host = text.lower()
    if not host.isascii() or not 0 < len(host) <= HOST_CHARS_MAX:
        raise TargetError("a host is a name in ASCII (xn--… for others) of at most 253 characters")
    labels = host.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise TargetError("this is no host name")
    if _NUMBER.fullmatch(labels[-1]):  # it would be read as an address (WHATWG URL, "ends in a number")
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise TargetError("this is neither a name nor a plain IPv4 address") from None
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
