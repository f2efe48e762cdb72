"""A load generator that costs little: prepared HTTP/1.1 requests on kept connections, every message unique."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httptools

PADDING = "The customer writes at length about the parcel that did not arrive last week. " * 16
_numbers = itertools.count(time.time_ns() // 1_000)


class Connection(asyncio.Protocol):
    """One kept connection; `ask` sends a request and returns the response's status once it is complete."""

    def __init__(self) -> None:
        self._done: asyncio.Future[int] | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        done, status = self._done, self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        if done is not None and not done.done():
            done.set_result(status)

    async def ask(self, request: bytes) -> int:
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._done


class Target:
    """A server under load: its address, its key, and how its requests are made."""

    def __init__(
        self,
        name: str,
        url: str,
        key: str,
        *,
        stream: bool = False,
        model: str = "gpt-4o-mini",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        parts = urlsplit(url)
        self.name, self.host, self.port = name, parts.hostname or "127.0.0.1", parts.port or 80
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._key = key
        self._stream = "true" if stream else "false"
        self._model = model
        self._more = "".join([f"{header}: {value}\r\n" for header, value in headers.items()])
        self.idle: list[Connection] = []

    def request(self, run: int) -> bytes:
        """Return a request whose last message no request before it had; `run` names the run it belongs to."""
        body = (
            f'{{"model":"{self._model}","stream":{self._stream},"max_tokens":64,"messages":[{{"role":"system","content":'
            f'"You are a support agent."}},{{"role":"user","content":"{next(_numbers)} {PADDING}"}}]}}'
        ).encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._key}\r\nX-Airside-Run: bench-{run}\r\n{self._more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def connection(self) -> Connection:
        """Return an idle connection, or a new one."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                return connection
        _, protocol = await asyncio.get_running_loop().create_connection(Connection, self.host, self.port)
        return protocol

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()


async def closed_loop(target: Target, calls: int, connections: int) -> float:
    """Make `calls` calls, `connections` at a time; return the seconds it took. Any status but 200 is an error."""
    numbers = iter(range(calls))

    async def work(run: int) -> None:
        connection = await target.connection()
        for _ in numbers:
            status = await connection.ask(target.request(run))
            assert status == 200, f"{target.name} answered {status}"
        target.idle.append(connection)

    began = time.perf_counter()
    await asyncio.gather(*[work(run) for run in range(connections)])
    return time.perf_counter() - began


async def open_loop(target: Target, calls: int, per_second: float) -> list[float]:
    """Make calls at a fixed pace, however long they take; return their latencies in milliseconds."""
    latencies: list[float] = []

    async def one(run: int) -> None:
        connection = await target.connection()
        began = time.perf_counter()
        status = await connection.ask(target.request(run))
        latencies.append((time.perf_counter() - began) * 1_000)
        assert status == 200, f"{target.name} answered {status}"
        target.idle.append(connection)

    tasks = []
    began = time.perf_counter()
    for number in range(calls):
        wait = began + number / per_second - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(number % 64)))
    await asyncio.gather(*tasks)
    return latencies


def percentile(values: list[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
