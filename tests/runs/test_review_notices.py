"""Telling reviewers: real targets on loopback, targets that are down or hang, links that are signed and used once."""

import asyncio
import base64
import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from typing import Any

import pytest

from airside.composition.approvals import check
from airside.config.approvals import ApprovalSettings
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.run import Role
from airside.runs.reviewing.ballot import UsedLink
from airside.runs.reviewing.links import Links
from tests.runs.house import TENANT, House, eventually, house
from tests.runs.reviewing import ANN, BOB, asked

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise imports it on Python 3.11
FAR_US = 2**61


@asynccontextmanager
async def sink(answer: Any) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on loopback that keeps what it is told; `answer` speaks with one client and returns what it said."""
    kept: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            kept.append(await answer(reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], kept
    finally:
        server.close()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Answer one HTTP request with 200 and return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
    body = await reader.readexactly(length)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    return body


async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Take one mail as an SMTP server does and return it."""
    mail = b""
    writer.write(b"220 sink\r\n")
    while line := await reader.readline():
        word = line[:4].upper().strip()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            while (line := await reader.readline()) != b".\r\n":
                mail += line
            writer.write(b"250 taken\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            await writer.drain()
            break
        else:
            writer.write(b"250 fine\r\n")
        await writer.drain()
    return mail


def telling(url: str, **more: Any) -> dict[str, Any]:
    """Settings with one target that is told at once."""
    target = {"url": url, "reviewer": "ann"}
    return {"targets": {"ops": target}, "escalation": [{"notify": ["ops"]}], "link_url": "https://air.example"} | more


async def notices(plane: House) -> list[dict[str, Any]]:
    return await plane.sql("SELECT state, tries, last_error FROM approval_notices")


async def until_told(plane: House, state: str) -> None:
    async def there() -> bool:
        return [row["state"] for row in await notices(plane)] == [state]

    await eventually(there, lambda: f"the notice is not {state}")


async def test_a_webhook_is_told_with_links_and_without_content(url: str) -> None:
    async with sink(http) as (port, kept), house(url, approvals=telling(f"json://127.0.0.1:{port}")) as plane:
        _, approval = await asked(plane)
        await until_told(plane, "sent")
        told = json.loads(kept[0])
        assert "shop wants to call refund" in told["title"]
        assert approval in told["message"]
        assert "over $50" in told["message"]
        assert "80" not in re.sub(r"https://\S+", "", told["message"]).replace(approval, "")
        links = re.findall(r"(view|approve|deny): https://air\.example/approvals/link\?t=(\S+)", told["message"])
        read = [plane.services.reviewing.links.read(token, 0) for _, token in links]
        assert [link.verdict for link in read] == ["view", "approve", "deny"]
        assert {(link.approval_id, link.reviewer, link.role) for link in read} == {(approval, "ann", Role.REVIEWER)}
        assert len({link.nonce for link in read}) == 3
        stored = await plane.sql("SELECT * FROM approval_notices")
        entries = await plane.sql("SELECT body FROM entries WHERE type = 'approval.notified'")
        assert len(entries) == 1
        assert not any(token in str(stored) + str(entries) for _, token in links)


async def test_mail_goes_out() -> None:
    async with sink(smtp) as (port, kept):
        mail = f"mailto://127.0.0.1:{port}?from=airside@example.com&to=ann@example.com&mode=insecure"
        async with house("memory:", approvals=telling(mail)) as mailing:
            _, approval = await asked(mailing)
            await until_told(mailing, "sent")
            message = message_from_bytes(kept[0])
            parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
            assert any(approval.encode() in bytes(part or b"") for part in parts)


async def test_a_target_that_is_down_is_tried_again_and_given_up(url: str) -> None:
    async with sink(http) as (port, _):
        pass  # nobody listens there any more
    settings = telling(f"json://127.0.0.1:{port}", notify_tries_max=2, notify_timeout_s=2)
    async with house(url, approvals=settings) as plane:
        _, approval = await asked(plane)

        async def tried() -> bool:
            return (await notices(plane))[0]["tries"] == 1 and (await notices(plane))[0]["last_error"] != ""

        await eventually(tried, lambda: "not tried")
        await plane.sql("UPDATE approval_notices SET due_us = 1")
        await until_told(plane, "failed")
        assert "127.0.0.1" not in (await notices(plane))[0]["last_error"]
        assert (await plane.services.reviews.approve(TENANT, approval, ANN)).state == "approved"


async def test_a_target_that_hangs_keeps_nobody() -> None:
    release = threading.Event()

    def hanging(*_: Any) -> bool:
        return release.wait(20)

    settings = telling("json://127.0.0.1:9", notify_timeout_s=0.05)
    async with house("memory:", approvals=settings) as hung:
        notifier = hung.services.reviewing.notifier
        notifier._send = hanging
        for _ in range(6):
            _, approval = await asked(hung)

        async def four() -> bool:
            return notifier._busy == 4

        await eventually(four, lambda: f"{notifier._busy} threads are busy")
        assert await notifier.send_due() == 0  # no thread is free, so nothing more is begun
        assert (await hung.services.reviews.approve(TENANT, approval, ANN)).state == "approved"
        release.set()


async def test_what_is_decided_by_then_is_not_told() -> None:
    async with house("memory:", approvals=telling("json://127.0.0.1:9", notify_timeout_s=0.2)) as told:
        told.services.reviewing.notifier._busy = 4  # as if all threads were busy
        _, approval = await asked(told)
        await told.services.reviews.deny(TENANT, approval, BOB, reason="no")
        told.services.reviewing.notifier._busy = 0
        await until_told(told, "dropped")


async def test_each_step_of_the_chain_tells_its_own_people(url: str) -> None:
    heard: list[str] = []
    settings = {
        "targets": {name: {"url": f"json://127.0.0.1:9/{name}"} for name in ("first", "second")},
        "escalation": [{"notify": ["first"]}, {"after_s": 3600, "notify": ["second"]}],
    }
    async with house(url, approvals=settings) as plane:
        plane.services.reviewing.notifier._send = lambda url, *_: heard.append(url.rpartition("/")[2]) or True
        await asked(plane)

        async def told(names: list[str]) -> bool:
            return heard == names

        await eventually(lambda: told(["first"]), lambda: str(heard))
        await plane.sql("UPDATE approvals SET escalate_us = 1")
        await eventually(lambda: told(["first", "second"]), lambda: str(heard))
        steps = await plane.sql("SELECT body FROM entries WHERE type = 'approval.escalated'")
        assert [json.loads(bytes(row["body"]))["step"] for row in steps] == [2]


@pytest.mark.parametrize("notify", [["nobody"], ["ops", "nobody"]])
def test_a_target_that_does_not_exist_is_found_at_the_start(notify: list[str]) -> None:
    settings = ApprovalSettings.model_validate(telling("json://x") | {"escalation": [{"notify": notify}]})
    with pytest.raises(AirsideError) as error:
        check(settings)
    assert error.value.code is Code.MISCONFIGURED
    assert "nobody" in error.value.message
    check(ApprovalSettings.model_validate(telling("json://x")))


def made(links: Links, until_us: int = FAR_US) -> str:
    return links.make(TENANT, "apr_1", "ann", Role.REVIEWER, "approve", until_us)


def test_a_link_says_what_it_was_made_for_until_it_expires() -> None:
    links = Links(b"k" * 32)
    link = links.read(made(links, 10 * SECOND_US), 10 * SECOND_US - 1)
    assert (link.tenant_id, link.approval_id, link.reviewer, link.verdict) == (TENANT, "apr_1", "ann", "approve")
    with pytest.raises(AirsideError) as error:
        links.read(made(links, 10 * SECOND_US), 10 * SECOND_US)
    assert error.value.code is Code.UNAUTHENTICATED


def test_a_link_that_was_touched_or_made_elsewhere_says_nothing() -> None:
    links = Links(b"k" * 32)
    token = made(links)
    payload, signature = token.split(".")
    body = base64.urlsafe_b64decode(payload + "==")
    other = base64.urlsafe_b64encode(body.replace(b"apr_1", b"apr_2")).decode().rstrip("=")
    tenant = base64.urlsafe_b64encode(body.replace(TENANT.encode(), b"another")).decode().rstrip("=")
    forged = [made(Links(b"x" * 32)), f"{other}.{signature}", f"{tenant}.{signature}", payload, f"{payload}.", "", "."]
    forged += [f"{payload}.{signature[:-2]}", token + "A", "é.é", "a" * 5_000, f"{payload}!.{signature}"]
    for text in forged:
        with pytest.raises(AirsideError) as error:
            links.read(text, 0)
        assert error.value.code is Code.UNAUTHENTICATED, text


async def test_a_link_decides_once_whoever_clicks_twice(url: str) -> None:
    async with house(url, approvals={"two_person": [{"approvals": 3}]}) as plane:
        _, approval = await asked(plane)
        used = UsedLink("abc", FAR_US)
        reviews = plane.services.reviews
        answers = await asyncio.gather(
            *(reviews.approve(TENANT, approval, person, link=used) for person in (ANN, BOB)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, AirsideError)]
        assert [error.code for error in refused] == [Code.CONFLICT]
        assert len(await plane.sql("SELECT 1 AS one FROM approval_votes")) == 1
        await plane.sql("UPDATE approval_links SET expires_us = 1")
        await plane.services.reviewing.escalation.tidy()
        assert not await plane.sql("SELECT 1 AS one FROM approval_links")
