"""HTTP on bare sockets, so that a provider can stall, reset and cut where no framework would, and costs little."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import httptools

from tests.fake_providers.dialect import Refusal, Request, Stream, Whole
from tests.fake_providers.fault import Fault


class Served(Protocol):
    """What a connection asks of the provider behind it."""

    chunk_delay_s: float
    in_flight: int
    vanished: int

    async def answer(self, request: Request) -> tuple[Whole | Stream, Fault | None] | Fault:
        """Return the answer and what befalls it, or only a fault that comes before any answer; raises Refusal."""
        ...


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, provider: Served) -> None:
        self._provider = provider
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._target = b""
        self._headers: dict[str, str] = {}
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None and not self.task.done():
            self._provider.vanished += 1
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        with suppress(httptools.HttpParserError):
            self._parser.feed_data(data)
            return
        self.transport.abort()

    def on_message_begin(self) -> None:
        self._body, self._target, self._headers = b"", b"", {}

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        request = Request(method, self._target.decode("latin-1"), self._headers, self._body)
        self.task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        self._provider.in_flight += 1
        try:
            reply = await self._provider.answer(request)
            if isinstance(reply, Fault):
                await self._fail(reply)
            elif isinstance(reply[0], Stream):
                await self._stream(reply[0], reply[1] or Fault())
            else:
                self._json(200, reply[0].value, reply[0].headers)
        except Refusal as refusal:
            self._json(refusal.status, refusal.body, refusal.headers)
        finally:
            self._provider.in_flight -= 1

    async def _fail(self, fault: Fault) -> None:
        if fault.stall:
            await asyncio.Event().wait()
        if fault.stall or fault.reset:
            self.transport.abort()
            return
        kind = fault.content_type or "application/json"
        self._head(fault.status or 200, kind, {**fault.headers, "content-length": str(len(fault.raw or b""))})
        self.transport.write(fault.raw or b"")

    async def _stream(self, stream: Stream, fault: Fault) -> None:
        kind = fault.content_type or stream.content_type
        self._head(200, kind, {**stream.headers, "transfer-encoding": "chunked"})
        for index, frame in enumerate(stream.frames):
            if index == fault.stall_after:
                await asyncio.Event().wait()
            if index == fault.cut_after:
                self.transport.abort()
                return
            if index == fault.end_after:
                break
            if fault.inject is not None and fault.inject[0] == index:
                self._chunk(fault.inject[1])
            if index != fault.drop:
                self._chunk(frame * (1 + fault.duplicate))
            await asyncio.sleep(self._provider.chunk_delay_s)
        self.transport.write(b"0\r\n\r\n")

    def _head(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode())

    def _json(self, status: int, value: Any, headers: dict[str, str]) -> None:
        body = json.dumps(value).encode()
        self._head(status, "application/json", {**headers, "content-length": str(len(body))})
        self.transport.write(body)

    def _chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))


@asynccontextmanager
async def listening(provider: Served, port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback and yield the root URL, without a path."""
    connections: list[Connection] = []

    def connect() -> Connection:
        connections.append(Connection(provider))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.transport.abort()
            if connection.task is not None:
                connection.task.cancel()
