"""The egress proxy: who may reach what, whatever the host is dressed as, and what is told of attempts that may not."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from airside.config.egress import EgressGrantSettings, EgressSettings
from airside.sandbox.egress.proxy import EgressProxy
from airside.sandbox.egress.targets import Target, TargetError, allowed, parse, reachable


class Told:
    def __init__(self) -> None:
        self.notices: list[tuple[str, str, Any]] = []

    def tell(self, tenant_id: str, kind: str, body: Any) -> None:
        self.notices.append((tenant_id, kind, body))


@asynccontextmanager
async def proxy(told: Told | None = None, **settings: Any) -> AsyncIterator[EgressProxy]:
    made = EgressProxy(EgressSettings(**settings), told or Told(), "acme")
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def server(answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"):
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1], seen
    finally:
        running.close()


async def said(made: EgressProxy, name: str, request: str) -> bytes:
    """Send a request as a process that has a grant, and return all that comes back."""
    url = httpx2.URL(made.environment(name)["http_proxy"])
    credential = httpx2.BasicAuth(url.username, url.password)._auth_header
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(request.replace("\r\n\r\n", f"\r\nProxy-Authorization: {credential}\r\n\r\n").encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2130706433:80",
            "0x7f000001:80",
            "0177.0.0.1:80",
            "127.1:80",
            "127.0.0.1.:80",
            "0x7f.0.0.1:80",
            "1.2.3.4.5:80",
        ),
        *("example.com", "example.com:0", "example.com:65536", "example.com:+80", "example.com:８０", ":80", "a:b:80"),
        *(
            "user@example.com:80",
            "exa mple.com:80",
            "ｅxample.com:80",
            "[::1:80",
            "[::1]x:80",
            "[1.2.3.4]:80",
            "a..b:80",
        ),
        *("example.com\x00:80", "-a.com:80", "a" * 64 + ".com:80", "example.com:99999999999999999999"),
    ],
)
def test_hosts_in_disguise_are_no_targets(text):
    with pytest.raises(TargetError):
        parse(text)


def test_targets_have_one_form():
    assert parse("EXAMPLE.com:443") == Target("example.com", 443)
    assert parse("[2001:DB8::0:1]:443") == Target("2001:db8::1", 443)
    assert parse("93.184.216.34:443") == Target("93.184.216.34", 443)


@pytest.mark.parametrize(
    ("target", "pattern", "verdict"),
    [
        ("api.example.com:443", "api.example.com:443", True),
        ("api.example.com:80", "api.example.com:443", False),
        ("API.Example.COM:443", "api.example.com:443", True),
        ("a.example.com:443", "*.example.com:443", True),
        ("a.b.example.com:443", "*.example.com:443", True),
        ("example.com:443", "*.example.com:443", False),
        ("evilexample.com:443", "*.example.com:443", False),
        ("example.com.evil.org:443", "*.example.com:443", False),
        ("127.0.0.1:443", "*.0.0.1:443", False),
    ],
)
def test_patterns(target, pattern, verdict):
    try:
        assert allowed(parse(target), [pattern]) is verdict
    except TargetError:
        assert not verdict


@pytest.mark.parametrize(
    ("address", "public_only", "with_private"),
    [
        ("93.184.216.34", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("fd00::1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("64:ff9b:1::a00:1", False, False),
        ("2002:a00:1::", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("fd00:ec2::254", False, True),
    ],
)
def test_addresses(address, public_only, with_private):
    assert reachable(address, private=False) is public_only
    assert reachable(address, private=True) is with_private


async def test_what_is_granted_is_carried():
    async with server() as (port, seen):
        grants = {"host": EgressGrantSettings(hosts=[f"localhost:{port}"], private=True)}
        async with proxy(grants=grants) as made:
            async with httpx2.AsyncClient(proxy=made.environment("host")["http_proxy"], trust_env=False) as client:
                answer = await client.get(f"http://localhost:{port}/path?q=1")
            assert answer.text == "hello"
    assert seen[0].startswith(b"GET /path?q=1 HTTP/1.1\r\n")
    assert b"proxy-authorization" not in seen[0].lower()


async def test_connect_makes_a_tunnel():
    async with server(b"anything at all") as (port, seen):
        grants = {"mcp:files": EgressGrantSettings(hosts=[f"127.0.0.1:{port}"], private=True)}
        async with proxy(grants=grants) as made:
            url = httpx2.URL(made.environment("mcp:files")["https_proxy"])
            credential = httpx2.BasicAuth(url.username, url.password)._auth_header
            reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
            writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nProxy-Authorization: {credential}\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            writer.write(b"not even HTTP\r\n\r\n")
            assert await reader.read() == b"anything at all"
            writer.close()
    assert seen == [b"not even HTTP\r\n\r\n"]


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT 127.0.0.1:{port} HTTP/1.1",
        "GET http://127.0.0.1:{port}/ HTTP/1.1",
        "CONNECT 2130706433:{port} HTTP/1.1",
        "CONNECT [::ffff:127.0.0.1]:{port} HTTP/1.1",
        "CONNECT 169.254.169.254:80 HTTP/1.1",
        "GET http://allowed.test@127.0.0.1:{port}/ HTTP/1.1",
        "GET http://allowed.test:{port}#@127.0.0.1:{port}/ HTTP/1.1",
        "GET gopher://127.0.0.1:{port}/ HTTP/1.1",
    ],
)
async def test_what_is_not_granted_is_blocked_and_told(request_line):
    told = Told()
    async with server() as (port, seen):
        async with proxy(told, grants={"host": EgressGrantSettings(hosts=["allowed.test:443"], private=True)}) as made:
            answer = await said(made, "host", request_line.format(port=port) + "\r\n\r\n")
        assert answer.split(b" ")[1] in {b"400", b"403"}
        assert not seen
    ((tenant, kind, body),) = told.notices
    assert (tenant, kind, body["tool"]) == ("acme", "egress.blocked", "host")
    assert body["target"]
    assert body["reason"]


async def test_a_name_with_private_addresses_is_blocked_even_if_granted():
    told = Told()
    async with server() as (port, seen), proxy(told, grants={"host": {"hosts": [f"localhost:{port}"]}}) as made:
        answer = await said(made, "host", f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"not public" in answer
    assert not seen
    assert told.notices[0][2]["target"] == f"localhost:{port}"


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(monkeypatch):
    """DNS rebinding: the second answer would be another host's."""
    answers = []
    async with server() as (port, seen):

        async def resolve(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
            answers.append(host)
            address = "127.0.0.1" if len(answers) == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        grants = {"host": EgressGrantSettings(hosts=[f"rebinding.test:{port}"], private=True)}
        async with proxy(grants=grants) as made:
            loop = type(asyncio.get_running_loop())
            real = loop.getaddrinfo

            async def either(self: Any, host: str, port: int, **more: Any) -> Any:
                return await (resolve if host == "rebinding.test" else real)(self, host, port, **more)

            monkeypatch.setattr(loop, "getaddrinfo", either)
            answer = await said(made, "host", f"GET http://rebinding.test:{port}/ HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"hello")
    assert answers == ["rebinding.test"]
    assert f"host: rebinding.test:{port}".encode() in seen[0]


async def test_without_or_with_anothers_credential_nothing_is_carried():
    async with server() as (port, seen):
        hosts = [f"127.0.0.1:{port}"]
        grants = {"host": EgressGrantSettings(hosts=hosts, private=True), "mcp:a": EgressGrantSettings()}
        async with proxy(grants=grants) as made:
            url = httpx2.URL(made.environment("host")["http_proxy"])
            for credential in (
                "",
                "Proxy-Authorization: Basic aG9zdDp3cm9uZw==\r\n",
                "Proxy-Authorization: Basic ?\r\n",
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
                writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{credential}\r\n".encode())
                assert (await reader.read()).startswith(b"HTTP/1.1 407")
                writer.close()
            assert (await said(made, "mcp:a", f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403")
            assert made.environment("mcp:b") == {}
    assert not seen


async def test_connections_and_bytes_are_bounded():
    async with server(b"x" * 100_000) as (port, _):
        hosts = [f"127.0.0.1:{port}"]
        grants = {"host": EgressGrantSettings(hosts=hosts, private=True, connections_max=1, bytes_max=50_000)}
        async with proxy(grants=grants) as made:
            url = httpx2.URL(made.environment("host")["http_proxy"])
            credential = httpx2.BasicAuth(url.username, url.password)._auth_header
            head = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nProxy-Authorization: {credential}\r\n\r\n".encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
            writer.write(head)
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
            assert (await said(made, "host", f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503")
            writer.write(b"go\r\n\r\n")
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while data := await reader.read(65_536):
                    received += data
            writer.close()
    assert len(received) <= 50_000


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"CONNECT\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"\xff\xfe HTTP/1.1\r\n\r\n",
        b"A" * 40_000,
        b"CONNECT a:1 HTTP/1.1\r\nbad header\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n folded: x\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\nhost: x\n\r\n\r\n",
    ],
)
async def test_what_is_no_plain_request_is_refused(raw):
    async with proxy(grants={"host": EgressGrantSettings(hosts=["a:1"])}) as made:
        url = httpx2.URL(made.environment("host")["http_proxy"])
        reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
        writer.write(raw)
        writer.write_eof()
        with contextlib.suppress(ConnectionResetError):
            assert (await reader.read()).startswith((b"HTTP/1.1 400", b"HTTP/1.1 407"))
        writer.close()


async def test_an_idle_connection_is_closed():
    async with server() as (port, _):
        grants = {"host": EgressGrantSettings(hosts=[f"127.0.0.1:{port}"], private=True)}
        async with proxy(grants=grants, idle_s=0.2) as made:
            answer = await said(made, "host", f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
