"""The provider client's connections: turns, idleness, TLS, and what leaving and closing do."""

import asyncio
import datetime
import ssl
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airside.gateways.models import upstream_connection
from airside.gateways.models.upstream import Interrupted, Patience, Unreachable
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
    saying,
    until,
)


async def test_leaving_cuts_the_provider_off() -> None:
    async with hostile(once(CHUNKED, b"2\r\n{}\r\n", wait=True)) as world, client(1) as upstream:
        answer = await upstream.post(world.url, HEADERS, BODY, PATIENCE)
        answer.close()
        answer.close()  # once is enough
        await until(lambda: world.closed == 1)
        task = asyncio.create_task(ask(upstream, world.url))
        await until(lambda: len(world.requests) == 2)  # the only turn was given back
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: world.closed == 2)


async def test_requests_beyond_the_limit_wait_for_their_turn() -> None:
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        for _ in range(100):
            await peer.request()
            await release.wait()
            await peer.say(OK)

    async with hostile(script) as world, client(2) as upstream:
        tasks = [asyncio.create_task(ask(upstream, world.url)) for _ in range(6)]
        await until(lambda: len(world.requests) == 2)
        with pytest.raises(Unreachable, match="busy"):
            await ask(upstream, world.url, Patience(0.05, 5))
        release.set()
        assert await asyncio.gather(*tasks) == [b"{}"] * 6
        assert world.connections == 2
        assert len(world.requests) == 6


async def test_nobody_there_is_unreachable_and_gives_its_turn_back() -> None:
    async with hostile(saying(OK)) as world, client(1) as upstream:
        for url in ("http://127.0.0.1:9/v1", "http://nowhere.invalid/v1", "ftp://x/", "http:///x", "http://x:y/"):
            with pytest.raises(Unreachable):
                await upstream.post(url, HEADERS, BODY, PATIENCE)
        with pytest.raises(Unreachable):
            await upstream.post(world.url, {"X": "a\r\nHost: evil"}, BODY, PATIENCE)
        assert await ask(upstream, world.url) == b"{}"


async def test_a_server_that_does_not_take_the_connection_in_time_is_unreachable() -> None:
    async def script(peer: Peer) -> None:
        await peer.silence()

    async with hostile(script) as world, client() as upstream:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unreachable):  # it accepts, but never begins to speak TLS
            await upstream.post(world.url.replace("http:", "https:"), HEADERS, BODY, Patience(0.2, 5))
        assert asyncio.get_running_loop().time() - began < 2


async def test_closing_fails_what_is_under_way() -> None:
    async with hostile(once(wait=True)) as world, client() as upstream:
        task = asyncio.create_task(ask(upstream, world.url))
        await until(lambda: len(world.requests) == 1)
        await upstream.close()
        with pytest.raises(Interrupted):
            await task
        with pytest.raises(Unreachable):
            await ask(upstream, world.url)


async def test_idle_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_connection, "IDLE_S_MAX", 0.05)
    async with hostile(saying(OK)) as world, client() as upstream:
        assert await ask(upstream, world.url) == b"{}"
        await until(lambda: world.closed == 1)
        assert await ask(upstream, world.url) == b"{}"


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for `name`; return what a server that shows it and a client that trusts it use."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.9"))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def test_tls_is_spoken_and_kept(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "localhost")
    async with hostile(saying(OK), tls=server) as world, client(tls=trusting) as upstream:
        assert [await ask(upstream, world.url) for _ in range(3)] == [b"{}"] * 3
        assert world.connections == 1


async def test_certificates_are_verified_and_must_name_the_host(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "localhost")
    elsewhere, trusting_elsewhere = certificate(tmp_path, "elsewhere.example")
    for shown, trusted in ((server, None), (server, trusting_elsewhere), (elsewhere, trusting_elsewhere)):
        async with hostile(saying(OK), tls=shown) as world, client(tls=trusted) as upstream:
            with pytest.raises(Unreachable, match="SSL"):
                await upstream.post(world.url, HEADERS, BODY, PATIENCE)
            assert world.requests == []
    async with hostile(saying(OK), tls=server) as world, client(tls=trusting) as upstream:
        with pytest.raises(Unreachable, match="SSL"):
            await upstream.post(world.url.replace("localhost", "127.0.0.1"), HEADERS, BODY, PATIENCE)
