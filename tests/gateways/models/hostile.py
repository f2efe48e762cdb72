"""An upstream on a raw socket that does what it is told, byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from airside.gateways.models.upstream import Patience
from airside.gateways.models.upstream_http1 import Http1Upstream

PATIENCE = Patience(connect_s=2.0, total_s=5.0, silence_s=2.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer key"}
BODY = b'{"model":"m"}'
Script = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """One accepted connection, as its script sees it."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> tuple[bytes, bytes]:
        """Read a whole request; return its head and its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head, await self.reader.readexactly(int(lengths[0].split(b":")[1]))

    async def say(self, *pieces: bytes) -> None:
        """Send pieces, each in a segment of its own as far as the kernel lets it."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def silence(self) -> None:
        """Say nothing until the other side has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass

    def reset(self) -> None:
        """Cut the connection with a reset."""
        self.writer.transport.abort()


@dataclass
class Hostile:
    """The server: its address, and every request that has come, with the number of its connection."""

    url: str = ""
    requests: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    connections: int = 0
    closed: int = 0


@asynccontextmanager
async def hostile(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    """Serve connections by `script`, which may end early; then the connection is closed."""
    world = Hostile()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        world.connections += 1
        peer = Peer(world.connections, reader, writer)
        asked = peer.request

        async def request() -> tuple[bytes, bytes]:
            head, body = await asked()
            world.requests.append((peer.number, head, body))
            return head, body

        peer.request = request  # type: ignore[method-assign]  # what is asked is noted down
        try:
            await script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            world.closed += 1
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        world.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{port}/v1/chat/completions"
        yield world
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so, five seconds at most."""
    for _ in range(2_500):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come to that")


@asynccontextmanager
async def client(connections_max: int = 8, tls: ssl.SSLContext | None = None) -> AsyncIterator[Http1Upstream]:
    upstream = Http1Upstream(connections_max=connections_max, tls=tls)
    try:
        yield upstream
    finally:
        await upstream.close()


async def ask(upstream: Http1Upstream, url: str, patience: Patience = PATIENCE, bytes_max: int = 1_000_000) -> bytes:
    """Ask and return the whole body."""
    answer = await upstream.post(url, HEADERS, BODY, patience)
    try:
        return await answer.read(bytes_max)
    finally:
        answer.close()


async def pieces(upstream: Http1Upstream, url: str, patience: Patience = PATIENCE) -> bytes:
    """Ask and return the body, read as a stream."""
    answer = await upstream.post(url, HEADERS, BODY, patience)
    try:
        async with aclosing(answer.chunks()) as chunks:  # type: ignore[type-var]  # an iterator, made by a generator
            return b"".join([chunk async for chunk in chunks])
    finally:
        answer.close()


def saying(*parts: bytes, times: int = 100) -> Callable[[Peer], Awaitable[None]]:
    """Answer each request with the same bytes and keep the connection."""

    async def script(peer: Peer) -> None:
        for _ in range(times):
            await peer.request()
            await peer.say(*parts)

    return script


def once(*parts: bytes, wait: bool = False) -> Callable[[Peer], Awaitable[None]]:
    """Answer one request, then close, or wait until the client has."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(*parts)
        if wait:
            await peer.silence()

    return script
