"""Who is at the other end: the socket's peer, unless that is a proxy that is trusted to say for whom it asks."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from airside.gateways.http import Scope

HEADER = b"x-forwarded-for"
HOPS_MAX = 32


class Peers:
    """Finds the caller's address behind trusted proxies."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted = tuple(ip_network(network) for network in trusted_proxies)
        self._trusts = lru_cache(maxsize=1_000)(self._is_trusted)

    def settle(self, scope: Scope) -> None:
        """Put the caller's address into a request's scope, where everything behind the front door reads it."""
        client = scope.get("client")
        if not self._trusted or not client or not self._trusts(client[0]):
            return
        named = [value.decode("latin-1") for key, value in scope["headers"] if key == HEADER]
        scope["client"] = (self.behind(client[0], ",".join(named)), 0)

    def behind(self, peer: str, forwarded: str) -> str:
        """Return the first address from the right that is no trusted proxy; what is no address ends the search.

        Every proxy appends whom it was asked by, so from the right on each word is as good as the one who wrote it.
        """
        found = peer
        for word in reversed(forwarded.split(",")[-HOPS_MAX:]):
            address = _plain(word)
            if address is None:
                return found
            found = str(address)
            if not self._trusts(found):
                return found
        return found

    def _is_trusted(self, peer: str) -> bool:
        address = _plain(peer)
        return address is not None and any(
            address in network for network in self._trusted if network.version == address.version
        )


def _plain(word: str) -> IPv4Address | IPv6Address | None:
    """Return an address without its port and brackets; IPv4 inside IPv6 as IPv4. None if it is none."""
    text = word.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
