"""Which IP addresses are of the public internet: what airside may be sent to by others' words goes nowhere else.

Loopback, private networks, link-local addresses (clouds' metadata among them), multicast and reserved ranges are not
public, however they are written: IPv4 inside IPv6 (mapped, compatible, 6to4, Teredo, NAT64) counts as that IPv4.
"""

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215: a network's own, whatever it leads to
_COMPATIBLE: Final = ipaddress.ip_network("::/96")  # RFC 4291 2.5.5.1, deprecated
_LOW_32: Final = 0xFFFF_FFFF


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet. Raises ValueError if it is no address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64_LOCAL:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and (ip in _NAT64 or ip in _COMPATIBLE):
            inner = ipaddress.IPv4Address(int(ip) & _LOW_32)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
