"""Webhooks: a real receiver, the signature as the specification's own formula, retries, and where they may not go."""

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from airside.config.resilience import NoticeSettings
from airside.core.addresses import is_public
from airside.core.clock import SystemClock
from airside.core.run import RunState
from airside.resilience.notices import DatabaseNotices
from airside.runs.outbox import backoff_s
from airside.runs.webhooks import PublicResolver, signature
from tests.runs.house import SECRET, TENANT, House, answer, eventually, house

PRIVATE = """10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 169.254.169.254 192.0.2.1
fe80::1%eth0 fc00::1 :: ::1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:0a00:0001:: 2001:db8::1"""


class Receiver:
    """An HTTP server that notes what it is sent and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = [200]
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers={"location": self.url + "moved"} if status == 302 else {})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def delivered(plane: House, run: Any, state: str) -> dict[str, Any]:
    """Return how the run's one delivery stands, once it stands so."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = await plane.services.webhooks.of_run(TENANT, run.run_id)
        return bool(found) and found[0]["state"] == state

    await eventually(there, lambda: f"{found}")
    assert len(found) == 1
    return found[0]


async def test_a_run_that_ends_is_told_with_a_signature(plane: House) -> None:
    plane.agents["shop"] = answer
    async with receiving() as receiver:
        run = await plane.submit(webhook_url=receiver.url + "hook?a=1")
        await delivered(plane, run, "delivered")
    headers, body = receiver.got[0]
    assert len(receiver.got) == 1
    event = json.loads(body)
    assert (event["type"], event["data"]["id"]) == ("run.succeeded", run.run_id)
    assert b"hello" not in body
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_a_failed_delivery_is_repeated_under_the_same_id(plane: House) -> None:
    plane.agents["shop"] = answer
    async with receiving() as receiver:
        receiver.answers = [500, 302, 204]
        run = await plane.submit(webhook_url=receiver.url)
        for tries in (1, 2):
            await plane.until(run, RunState.SUCCEEDED)

            async def tried(tries: int = tries) -> bool:
                stands = await plane.services.webhooks.of_run(TENANT, run.run_id)
                return stands[0]["tries"] == tries and bool(stands[0]["last_error"])

            await eventually(tried, lambda: f"{receiver.got}")
            await plane.sql("UPDATE webhooks SET due_us = 1, last_error = ''")
            await plane.services.webhooks.send_due()
        await delivered(plane, run, "delivered")
        assert len(receiver.got) == 3
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_it_gives_up_in_the_end(url: str) -> None:
    async with receiving() as receiver, house(url, webhooks={"tries_max": 1, "allow_private_addresses": True}) as plane:
        plane.agents["shop"] = answer
        receiver.answers = [503]
        run = await plane.submit(webhook_url=receiver.url)
        assert "503" in (await delivered(plane, run, "failed"))["last_error"]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", "private"),
        ("localhost", "private"),
        ("[::1]", "private"),
        ("[::ffff:127.0.0.1]", "private"),
        ("169.254.169.254", "private"),
        ("2130706433", "canonical"),
        ("0x7f.1", ""),
    ],
)
async def test_private_addresses_are_refused(host: str, why: str) -> None:
    async with receiving() as receiver, house("memory:", webhooks={"tries_max": 1}) as plane:
        plane.agents["shop"] = answer
        port = receiver.url.rsplit(":", 1)[1]
        run = await plane.submit(webhook_url=f"http://{host}:{port}")
        assert why in (await delivered(plane, run, "failed"))["last_error"]
        assert not receiver.got


@pytest.mark.parametrize("address", PRIVATE.split())
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public(address: str) -> None:
    assert is_public(address)


async def test_a_name_is_refused_by_what_it_resolves_to() -> None:
    with pytest.raises(OSError, match="private"):
        await PublicResolver(allow_private=False).resolve("localhost", 80, socket.AF_INET)
    found = await PublicResolver(allow_private=True).resolve("localhost", 80, socket.AF_INET)
    assert found[0]["host"] == "127.0.0.1"


def test_the_signature_of_the_specifications_example() -> None:
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_waiting_grows_to_an_hour() -> None:
    assert [backoff_s(n) for n in (1, 2, 3)] == [2, 6, 18]
    assert backoff_s(30) == 3_600


async def test_a_notice_reaches_operators_with_a_signature(plane: House) -> None:
    async with receiving() as receiver:
        settings = NoticeSettings(webhook_url=SecretStr(receiver.url + "ops"))
        notices = DatabaseNotices(plane.backend.database, SystemClock(), settings)
        notices.tell("*", "breaker.opened", {"key": "provider:x", "reason": "5 calls in a row failed"})
        await notices.flush()

        async def came() -> bool:
            return bool(receiver.got)

        await eventually(came, lambda: "no notice came")
    headers, body = receiver.got[0]
    event = json.loads(body)
    assert event["type"] == "notice.breaker.opened"
    assert event["data"]["notice"]["key"] == "provider:x"
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], stamp, body)
