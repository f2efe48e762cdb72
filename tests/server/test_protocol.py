"""Hostile connections: heads without end, slow heads, and bodies of strangers cost the server next to nothing."""

import asyncio

import pytest

from airside.server import protocol
from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_S = 10.0


async def _talk(served: Served, *pieces: bytes) -> bytes:
    """Send pieces on one connection and return all that comes back until the server closes it (or answers)."""
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(DEADLINE_S):
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                return await reader.read()
            except ConnectionError:
                return b""
    finally:
        writer.close()


@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\nx: ", b"GET /", b"GET /healthz HTTP/1.1\r\n"])
async def test_a_head_without_end_is_cut_off(served: Served, start: bytes) -> None:
    piece = b"x: y\r\n" * 5_000 if start.endswith(b"\r\n") else b"a" * 30_000

    answer = await _talk(served, start, *[piece] * 400)

    assert answer == b"" or (b" 431 " in answer and b"limit_exceeded" in answer)


@pytest.mark.parametrize("start", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nhost: x\r\n"])
async def test_a_head_that_does_not_come_in_time_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)

    assert b" 408 " in await _talk(served, start)


async def test_heads_in_pieces_and_requests_in_a_row_are_served(served: Served) -> None:
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 50_000 + b"\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n"

    answer = await _talk(served, request[:7], request[7:30_000], request[30_000:], request, last)

    assert answer.count(b"HTTP/1.1 200 ") == 3


async def test_the_body_of_a_stranger_is_not_read(served: Served) -> None:
    head = b"POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 50000\r\n\r\n"

    assert b" 401 " in await _talk(served, head, b"{")
