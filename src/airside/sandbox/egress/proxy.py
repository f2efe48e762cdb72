"""The egress proxy: HTTP CONNECT, and plain HTTP with absolute URLs, for tool processes, each within its own grant.

A client says who it is by Proxy-Authorization, which its environment holds. A name is resolved here, once, and the
connection goes to the address that was checked: a name that answers differently the second time (DNS rebinding) gains
nothing. What is blocked is told to operators; what is carried is not read.
"""

import asyncio
import base64
import binascii
import contextlib
import hmac
import secrets
import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import structlog
from msgspec import Struct

from airside.config.egress import EgressGrantSettings, EgressSettings
from airside.core.ports import Notices
from airside.sandbox.egress.targets import Target, TargetError, allowed, parse, reachable

HEAD_BYTES_MAX: Final = 16_384
HEAD_S: Final = 10.0
UNKNOWN_MAX: Final = 64  # connections that have not said who they are yet
_CHUNK_BYTES: Final = 65_536
_HOP: Final = frozenset({"proxy-authorization", "proxy-connection", "connection", "keep-alive", "te", "upgrade"})

_log = structlog.get_logger(__name__)


class Blocked(Exception):
    """A request that is not carried: HTTP status and reason. `target` is what it wanted, as it said it."""

    def __init__(self, status: int, reason: str, target: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.target = target[:300]


class Head(Struct, frozen=True):
    """The head of a request."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]


class Flow(Struct):
    """What a connection may still carry, and when it last carried anything (monotonic seconds)."""

    bytes_left: int
    active_s: float


class EgressProxy:
    """Listens on loopback. `tell` goes to `tenant_id`'s operators."""

    def __init__(self, settings: EgressSettings, notices: Notices, tenant_id: str) -> None:
        self._settings = settings
        self._notices = notices
        self._tenant_id = tenant_id
        self._keys = {name: secrets.token_urlsafe(24) for name in settings.grants}
        self._open = dict.fromkeys(settings.grants, 0)
        self._unknown = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop, and end every connection."""
        if self._server:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def environment(self, name: str) -> Mapping[str, str]:
        """Return the variables by which HTTP clients of a process find their way out; empty without a grant."""
        if name not in self._keys:
            return {}
        url = f"http://{name.replace(':', '%3A')}:{self._keys[name]}@127.0.0.1:{self._port}"
        return {key: url for word in ("http_proxy", "https_proxy", "all_proxy") for key in (word, word.upper())}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "connections are tasks"
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            return  # a client or a host that is gone, or this proxy's own end
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = ""
        try:
            if self._unknown >= UNKNOWN_MAX:
                raise Blocked(503, "too many connections")
            self._unknown += 1
            try:
                async with asyncio.timeout(HEAD_S):
                    head = _parsed(await reader.readuntil(b"\r\n\r\n"))
            except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                raise Blocked(400, "no request head came") from None
            finally:
                self._unknown -= 1
            name = self._who(head)
            await self._carry(name, head, reader, writer)
        except Blocked as block:
            self._say(name, block)
            authenticate = b'Proxy-Authenticate: Basic realm="airside"\r\n' if block.status == 407 else b""
            text = f"airside egress: {block.reason}\n".encode()
            writer.write(
                f"HTTP/1.1 {block.status} Blocked\r\nContent-Length: {len(text)}\r\n".encode()
                + authenticate
                + b"Content-Type: text/plain\r\nX-Airside-Code: policy_denied\r\nConnection: close\r\n\r\n"
                + text
            )
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(HEAD_S):
                    await writer.drain()

    def _say(self, name: str, block: Blocked) -> None:
        if not name or not block.target:
            return
        _log.warning("egress_blocked", tool=name, target=block.target, reason=block.reason)
        body = {"key": f"{name} {block.target}", "tool": name, "target": block.target, "reason": block.reason}
        self._notices.tell(self._tenant_id, "egress.blocked", body)

    def _who(self, head: Head) -> str:
        """Return whose credential a request carries; raises Blocked."""
        word = next((value for key, value in head.headers if key == "proxy-authorization"), "")
        try:
            name, _, key = base64.b64decode(word.removeprefix("Basic ").strip(), validate=True).decode().rpartition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, key = "", ""
        known = self._keys.get(name, "")
        if not known or not hmac.compare_digest(known.encode(), key.encode()):
            raise Blocked(407, "say who you are: use the proxy URL of your environment")
        return name

    async def _carry(self, name: str, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        grant = self._settings.grants[name]
        target = _wanted(head)
        if not allowed(target, grant.hosts):
            raise Blocked(403, f"{target} is not in egress.grants.{name}.hosts", str(target))
        if self._open[name] >= grant.connections_max:
            raise Blocked(503, f"more connections than egress.grants.{name}.connections_max", str(target))
        self._open[name] += 1
        try:
            there, back = await self._connected(target, grant)
            try:
                if head.method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    back.write(_forwarded(head, target))
                await self._join(grant, (reader, back), (there, writer))
            finally:
                back.close()
        finally:
            self._open[name] -= 1

    async def _connected(
        self, target: Target, grant: EgressGrantSettings
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Resolve once and connect to an address that was checked; raises Blocked."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            raise Blocked(502, f"{target} cannot be resolved: {error}") from None
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        permitted = [address for address in addresses if reachable(address, private=grant.private)]
        if not permitted:
            raise Blocked(403, f"{target} is at addresses that are not public", str(target))
        failure: Exception | None = None
        for address in permitted[:3]:
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    return await asyncio.open_connection(address, target.port)
            except (OSError, TimeoutError) as error:
                failure = error
        raise Blocked(502, f"{target} does not answer: {failure}")

    async def _join(
        self,
        grant: EgressGrantSettings,
        out: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Carry bytes both ways until both sides have ended, or the bytes of the connection are used up."""
        flow = Flow(grant.bytes_max, asyncio.get_running_loop().time())
        tasks = [asyncio.create_task(self._pass_on(*way, flow)) for way in (out, back)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            for _, writer in (out, back):
                writer.transport.abort() if flow.bytes_left < 0 else writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow) -> None:
        while data := await self._more(reader, flow):
            flow.bytes_left -= len(data)
            if flow.bytes_left < 0:
                raise ConnectionAbortedError("more bytes than the grant's bytes_max")
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def _more(self, reader: asyncio.StreamReader, flow: Flow) -> bytes:
        """Return what comes next; a connection is idle only when neither side says anything (TimeoutError)."""
        now_s = asyncio.get_running_loop().time
        reading = asyncio.ensure_future(reader.read(_CHUNK_BYTES))
        try:
            while not reading.done():
                await asyncio.wait([reading], timeout=flow.active_s + self._settings.idle_s - now_s())
                if not reading.done() and now_s() >= flow.active_s + self._settings.idle_s:
                    raise TimeoutError
        finally:
            reading.cancel()
        flow.active_s = now_s()
        return reading.result()


def _parsed(raw: bytes) -> Head:
    """Return a request's head; raises Blocked if it is not plain HTTP/1."""
    try:
        first, *lines = raw.decode("ascii").split("\r\n")[:-2]
        method, url, version = first.split(" ")
        headers = tuple(
            (key.strip().lower(), value.strip()) for key, _, value in (line.partition(":") for line in lines)
        )
    except (UnicodeDecodeError, ValueError):
        raise Blocked(400, "this is no HTTP request") from None
    odd = any(not key or key != line.partition(":")[0].lower() for line, (key, _) in zip(lines, headers, strict=True))
    if version not in {"HTTP/1.1", "HTTP/1.0"} or odd or "\n" in raw.decode("ascii").replace("\r\n", ""):
        raise Blocked(400, "this is no plain HTTP/1 request")
    return Head(method, url, headers)


def _wanted(head: Head) -> Target:
    """Return what a request wants to reach; raises Blocked."""
    try:
        if head.method == "CONNECT":
            return parse(head.url)
        parts = urlsplit(head.url)
        if parts.scheme != "http" or "@" in parts.netloc:
            raise TargetError("give CONNECT, or an http:// URL without a user")
        return parse(parts.netloc, default_port=80)
    except (TargetError, ValueError) as error:
        raise Blocked(400, str(error), head.url) from None


def _forwarded(head: Head, target: Target) -> bytes:
    """Return a request's head for the host itself: origin form, its own Host, one request a connection."""
    parts = urlsplit(head.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = str(target).removesuffix(":80")
    kept = [(key, value) for key, value in head.headers if key not in _HOP and key != "host"]
    lines = [f"{head.method} {path} HTTP/1.1", f"host: {host}", *[f"{key}: {value}" for key, value in kept]]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("ascii")
