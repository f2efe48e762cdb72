"""`Upstream` on kept HTTP/1.1 connections: no cookies, no redirects, no compression, no proxies, and so little to do.

A request is sent once. Whether a provider has worked on a request whose connection broke cannot be known, so nothing
is sent again from here, except that a connection found closed before anything was written is left for another.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from functools import cache, lru_cache
from socket import SOCK_STREAM
from urllib.parse import quote, urlsplit

import aiohappyeyeballs

from airside.gateways.models.upstream import Patience, Response, Unreachable
from airside.gateways.models.upstream_connection import Connection, Origin

NEXT_ADDRESS_AFTER_S = 0.25  # RFC 8305: begin with the next address of a name while the first still tries
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_KEPT = "/?%:@!$&'()*+,;=~"  # characters of paths and queries that mean something as they are


class Http1Upstream:
    """Implements `Upstream`. At most `connections_max` requests are under way; others wait for their turn."""

    def __init__(self, *, connections_max: int, tls: ssl.SSLContext | None = None) -> None:
        self._turns = asyncio.Semaphore(connections_max)
        self._tls = tls
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, patience: Patience) -> Response:
        """Send a request and return its answer's head. Raises Unreachable, Interrupted, TimedOut."""
        return await self._send(prepared(url, tuple(headers.items())), body, patience)

    async def get(self, url: str, headers: Mapping[str, str], patience: Patience) -> Response:
        """Ask for something and return the answer's head. Raises Unreachable, Interrupted, TimedOut."""
        return await self._send(prepared(url, tuple(headers.items()), "GET"), b"", patience)

    async def _send(self, request: tuple[Origin, bytes], body: bytes, patience: Patience) -> Response:
        deadline_s = asyncio.get_running_loop().time() + patience.total_s
        origin, head = request
        connect_s = min(patience.connect_s, patience.total_s)
        await self._turn(connect_s)
        try:
            connection = self._take(origin) or await self._connect(origin, connect_s)
        except BaseException:
            self._turns.release()
            raise
        exchange = connection.send(b"%b%d\r\n\r\n%b" % (head, len(body), body), deadline_s, patience.silence_s)
        try:
            await exchange.head()
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def close(self) -> None:
        """Cut all connections; what is under way fails."""
        self._closed = True
        for connection in list(self._open):
            connection.abort()

    def left(self, connection: Connection) -> None:
        """See Pool."""
        self._turns.release()
        if connection.usable:
            self._idle.setdefault(connection.origin, []).append(connection)

    def lost(self, connection: Connection) -> None:
        """See Pool."""
        self._open.discard(connection)
        idle = self._idle.get(connection.origin, [])
        if connection in idle:
            idle.remove(connection)

    async def _turn(self, patience_s: float) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # does not wait
            return
        try:
            async with asyncio.timeout(patience_s):
                await self._turns.acquire()
        except TimeoutError:
            raise Unreachable("all connections are busy") from None

    def _take(self, origin: Origin) -> Connection | None:
        """Return the connection that was used last, so that those too many grow idle and are closed."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.fresh():
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, patience_s: float) -> Connection:
        if self._closed:
            raise Unreachable("closed")
        loop = asyncio.get_running_loop()
        tls = (self._tls or _verifying()) if origin.tls else None
        try:
            async with asyncio.timeout(patience_s):
                addresses = await loop.getaddrinfo(origin.host, origin.port, type=SOCK_STREAM)
                connected = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S, interleave=1, loop=loop
                )
                _, connection = await loop.create_connection(
                    lambda: Connection(self, loop, origin),
                    sock=connected,
                    ssl=tls,
                    server_hostname=origin.host if tls else None,
                )
        except (OSError, UnicodeError) as error:  # among them TimeoutError, and what TLS does not accept
            raise Unreachable(type(error).__name__) from None
        self._open.add(connection)
        return connection


@lru_cache(maxsize=256)
def prepared(url: str, headers: tuple[tuple[str, str], ...], method: str = "POST") -> tuple[Origin, bytes]:
    """Return where a request goes and its head up to the value of Content-Length.

    Raises Unreachable for an address or a header that cannot be sent.
    """
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers):
        raise Unreachable("a header holds what headers cannot")
    try:
        origin, host, target = _address(url)
    except ValueError:  # UnicodeError is one
        raise Unreachable("not an http(s) address") from None
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *[f"{name}: {value}" for name, value in headers]]
    return origin, "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")


def _address(url: str) -> tuple[Origin, str, str]:
    """Return where an address leads, the value of Host, and the request's target, escaped where it is not yet."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(url)
    tls = parts.scheme == "https"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    shown = f"[{host}]" if ":" in host else host
    target = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    origin = Origin(tls, host, parts.port or (443 if tls else 80))
    return origin, f"{shown}:{parts.port}" if parts.port else shown, target


@cache
def _verifying() -> ssl.SSLContext:
    """Return the system's trust, read once. Only HTTP/1.1 is offered."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
