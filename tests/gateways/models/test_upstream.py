"""The HTTP client for providers, against an upstream that does all that RFC 9112 forbids and some that it allows."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from airside.gateways.models import upstream_connection
from airside.gateways.models.upstream import Interrupted, Patience, TimedOut
from airside.gateways.models.upstream_http1 import prepared
from tests.gateways.models.hostile import (
    BODY,
    CHUNKED,
    HEADERS,
    OK,
    PATIENCE,
    Peer,
    ask,
    client,
    hostile,
    once,
    pieces,
    saying,
    until,
)


async def test_the_request_is_what_was_asked_for_and_the_connection_serves_again() -> None:
    async with hostile(saying(OK)) as world, client() as upstream:
        assert [await ask(upstream, world.url + "?a=1") for _ in range(3)] == [b"{}"] * 3
    host = world.url.split("/")[2].encode()
    head = (
        b"POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer key\r\nContent-Length: 13\r\n\r\n"
    )
    assert world.requests == [(1, head, BODY)] * 3


async def test_status_and_headers_are_given_and_names_have_no_case() -> None:
    answer_bytes = b"HTTP/1.1 429 Slow Down\r\nRETRY-AFTER: 7\r\nx: a\r\nx: b\r\ncontent-length: 0\r\n\r\n"
    async with hostile(saying(answer_bytes)) as world, client() as upstream:
        answer = await upstream.post(world.url, HEADERS, BODY, PATIENCE)
        assert (answer.status, answer.header("Retry-After"), answer.header("X"), answer.header("y")) == (
            429,
            "7",
            "a",
            "",
        )
        assert await answer.read(0) == b""
        answer.close()


@pytest.mark.parametrize("read", [ask, pieces])
@pytest.mark.parametrize(
    "parts",
    [
        [bytes([byte]) for byte in OK],
        [b"HTTP/1.1 100 Continue\r\n\r\n", OK],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK],
        [CHUNKED, b"1\r\n{\r\n", b"1;ext=1\r\n}\r\n", b"0\r\n\r\n"],
        [CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    ],
    ids=["byte by byte", "continue", "hints", "chunked", "trailers", "close", "http 1.0"],
)
async def test_all_ways_to_frame_an_answer(parts: list[bytes], read: Callable[..., Awaitable[bytes]]) -> None:
    async with hostile(saying(*parts)) as world, client() as upstream:
        for _ in range(2):
            assert await read(upstream, world.url) == b"{}"


@pytest.mark.parametrize("read", [ask, pieces])
async def test_an_answer_without_length_ends_with_its_connection(read: Callable[..., Awaitable[bytes]]) -> None:
    async with hostile(once(b"HTTP/1.1 200 OK\r\n\r\n", b"{", b"}")) as world, client() as upstream:
        assert await read(upstream, world.url) == b"{}"
        assert await read(upstream, world.url) == b"{}"
        assert world.connections == 2


async def test_a_large_answer_arrives_whole() -> None:
    body = bytes(range(256)) * 8_192
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]
    async with hostile(saying(*parts)) as world, client() as upstream:
        assert await ask(upstream, world.url, bytes_max=len(body)) == body
        assert await pieces(upstream, world.url) == body
        assert world.connections == 1


@pytest.mark.parametrize("read", [ask, pieces])
@pytest.mark.parametrize(
    "parts",
    [
        [b"SSH-2.0-OpenSSH_9.9\r\n"],
        [b"\x15\x03\x01\x00\x02\x02\x16"],
        [b"HTTP/1.1 two hundred\r\n\r\n"],
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", b"PRI * HTTP/2.0"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nA: b\r\n folded\x00\r\n\r\n"],
        [CHUNKED, b"xyz\r\n{}\r\n"],
        [CHUNKED, b"fffffffffffffffff\r\n{}\r\n"],
        [CHUNKED, b"2\r\n{}}}\r\n0\r\n\r\n"],
        [CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n"],
    ],
    ids=[
        *("ssh", "tls alert", "status", "upgrade", "two lengths", "negative", "huge", "length and chunks", "nul"),
        *("chunk size", "chunk too large", "chunk longer than said", "negative chunk"),
    ],
)
async def test_what_is_not_http_fails_at_once_and_is_not_used_again(
    parts: list[bytes], read: Callable[..., Awaitable[bytes]]
) -> None:
    async with hostile(once(*parts, wait=True)) as world, client() as upstream:
        with pytest.raises(Interrupted) as raised:
            await read(upstream, world.url)
        assert not isinstance(raised.value, TimedOut)
        await until(lambda: world.closed == 1)  # we have cut it


@pytest.mark.parametrize("read", [ask, pieces])
@pytest.mark.parametrize(
    "endless",
    [
        [b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 4_096 + b"\r\n"],
        [b"HTTP/1.1 200 OK\r\nA: ", b"b" * 4_096],
        [b"", b"HTTP/1.1 100 Continue\r\n\r\n"],
        [CHUNKED + b"2\r\n{}\r\n0\r\n", b"A: " + b"b" * 4_096 + b"\r\n"],
        [CHUNKED + b"2;", b"e" * 4_096],
    ],
    ids=["headers", "one header", "informational", "trailers", "chunk extension"],
)
async def test_what_surrounds_a_body_has_a_limit(endless: list[bytes], read: Callable[..., Awaitable[bytes]]) -> None:
    first, again = endless

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(first)
        while True:
            await peer.say(again)

    async with hostile(script) as world, client() as upstream:
        with pytest.raises(Interrupted, match="around the body"):
            await read(upstream, world.url)
        await until(lambda: world.closed == 1)


@pytest.mark.parametrize("read", [ask, pieces])
@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Le"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"],
        [CHUNKED, b"2\r\n{}\r\n"],
        [CHUNKED, b"2\r\n{}\r\n0\r\n"],
    ],
    ids=["no answer", "half a head", "half a body", "no last chunk", "no end of trailers"],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_an_answer_that_ends_early_may_have_been_worked_on(
    parts: list[bytes], reset: bool, read: Callable[..., Awaitable[bytes]]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(*parts)
        if reset:
            peer.reset()

    async with hostile(script) as world, client() as upstream:
        with pytest.raises(Interrupted) as raised:
            await read(upstream, world.url)
        assert not isinstance(raised.value, TimedOut)
        assert len(world.requests) == 1, "a request is never sent twice from here"


@pytest.mark.parametrize("surplus", [b"{}", OK, b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("together", [True, False])
async def test_bytes_after_an_answer_are_not_the_next_answer(surplus: bytes, together: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if together:
            await peer.say(OK + surplus)
        else:
            await peer.say(OK)
            await peer.say(surplus)
        await peer.silence()

    async with hostile(script) as world, client() as upstream:
        assert await ask(upstream, world.url) == b"{}"
        await until(lambda: world.closed == 1)
        assert await ask(upstream, world.url) == b"{}"
        assert [number for number, _, _ in world.requests] == [1, 2]


async def test_a_connection_closed_while_idle_is_not_used() -> None:
    async with hostile(once(OK)) as world, client() as upstream:
        for number in range(1, 4):
            assert await ask(upstream, world.url) == b"{}"
            await until(lambda number=number: not upstream._open)  # type: ignore[misc]  # a lambda's default
            assert world.connections == number


async def test_a_close_that_the_loop_has_not_heard_of_yet_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_connection, "LOOK_AFTER_IDLE_S", 0.0)
    waiting, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        if peer.number == 1:
            await waiting.wait()
            peer.writer.close()  # the bytes of this close are in our socket before our loop looks at it
            gone.set()
            return
        await peer.silence()

    async with hostile(script) as world, client() as upstream:
        assert await ask(upstream, world.url) == b"{}"
        waiting.set()
        await gone.wait()
        assert await ask(upstream, world.url) == b"{}"
        assert [number for number, _, _ in world.requests] == [1, 2]


async def test_an_early_refusal_of_a_large_body_is_read() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await peer.silence()

    async with hostile(script) as world, client() as upstream:
        answer = await upstream.post(world.url, HEADERS, b"x" * 20_000_000, PATIENCE)
        assert (answer.status, await answer.read(10)) == (413, b"{}")
        answer.close()
        await until(lambda: world.closed == 1)  # its body was never sent whole, so it is of no use any more


@pytest.mark.parametrize("read", [ask, pieces])
@pytest.mark.parametrize("parts", [[], [b"HTTP/1.1 200 OK\r\n"], [CHUNKED, b"2\r\n{}\r\n"]])
@pytest.mark.parametrize("patience", [Patience(2, 0.1), Patience(2, 60, 0.1)], ids=["total", "silence"])
async def test_silence_ends_in_time(
    parts: list[bytes], patience: Patience, read: Callable[..., Awaitable[bytes]]
) -> None:
    async with hostile(once(*parts, wait=True)) as world, client() as upstream:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await read(upstream, world.url, patience)
        assert 0.09 < asyncio.get_running_loop().time() - began < 2
        await until(lambda: world.closed == 1)


async def test_a_stream_that_keeps_coming_is_not_silent_but_may_take_too_long() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CHUNKED)
        while True:
            await peer.say(b"2\r\n{}\r\n")
            await asyncio.sleep(0.02)

    async with hostile(script) as world, client() as upstream:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await pieces(upstream, world.url, Patience(2, 0.5, 0.2))
        assert 0.45 < asyncio.get_running_loop().time() - began < 2


async def test_a_slow_reader_is_not_the_providers_silence_and_fills_no_memory() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(CHUNKED)
        for _ in range(200):
            await peer.say(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            sent += 1
        await peer.say(b"0\r\n\r\n")

    async with hostile(script) as world, client() as upstream:
        answer = await upstream.post(world.url, HEADERS, BODY, Patience(2, 30, 0.2))
        size = 0
        async for chunk in answer.chunks():
            if size == 0:
                await asyncio.sleep(0.5)  # longer than the silence that is allowed
                assert sent < 180, "the provider was made to wait"
            size += len(chunk)
        answer.close()
        assert size == 200 * 65_536


async def test_an_answer_beyond_the_limit_is_cut() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CHUNKED)
        while True:
            await peer.say(b"1000\r\n" + b"x" * 4_096 + b"\r\n")

    async with hostile(script) as world, client() as upstream:
        with pytest.raises(Interrupted, match="more than 100000 bytes"):
            await ask(upstream, world.url, bytes_max=100_000)
        await until(lambda: world.closed == 1)


def test_addresses_are_written_as_http_wants_them() -> None:
    for url, origin, first_lines in [
        ("http://h", (False, "h", 80), "POST / HTTP/1.1\r\nHost: h\r\n"),
        ("https://h/a b/ü?q=x y", (True, "h", 443), "POST /a%20b/%C3%BC?q=x%20y HTTP/1.1\r\nHost: h\r\n"),
        ("https://[::1]:8443/v1%2Fx", (True, "::1", 8443), "POST /v1%2Fx HTTP/1.1\r\nHost: [::1]:8443\r\n"),
        ("http://user:pw@bücher.example/", (False, "xn--bcher-kva.example", 80), "POST / HTTP/1.1\r\nHost: xn--bcher"),
        ("http://h/x\r\ny", (False, "h", 80), "POST /xy HTTP/1.1\r\nHost: h\r\n"),
    ]:
        found, head = prepared(url, ())
        assert (found.tls, found.host, found.port) == origin
        assert head.decode().startswith(first_lines)
