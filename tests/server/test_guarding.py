"""A running server with guards and spotlighting from its settings: what its provider is sent, whichever way it goes."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving
from tests.fake_providers import KEY, FakeProvider
from tests.fake_providers.provider import serving_all
from tests.fake_providers.script import text

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = "AKIAIOSFODNN7" + "QWERTYZ"
EMAIL = "ada.lovelace@analytical-engines.com"
PRICE = {"input": "1", "output": "4"}


class Running(NamedTuple):
    fake: FakeProvider
    clients: dict[str, httpx2.AsyncClient]

    async def ask(self, words: str, run: str, **more: Any) -> httpx2.Response:
        """Ask as an outside program, in a run of this name."""
        body = {"model": "gpt-5-fake", "messages": [{"role": "user", "content": words}], **more}
        headers = {"x-airside-run": run, **({"x-airside-cache": "exact"} if run.startswith("cached") else {})}
        return await self.clients["agent"].post("/v1/chat/completions", json=body, headers=headers)

    @property
    def sent(self) -> str:
        """All that the provider has been sent."""
        return "\n".join(raw.decode(errors="replace") for raw in self.fake.raw_requests)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("airside")
    fake = FakeProvider()
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(serving_all(fake))
        settings = load(
            None,
            {},
            data_dir=folder / "data",
            database={"url": "memory:"},
            server={"port": 0, "body_bytes_max": 100_000},
            providers={"fake": {"kind": "openai", "base_url": places.openai, "api_key": KEY}},
            models={"gpt-5-fake": {"provider": "fake", "price": PRICE}},
            guards={
                "rules": [
                    {"guards": ["personal"], "mode": "tokenise"},
                    {"guards": ["leakage"], "mode": "block"},
                ],
                "spotlight": {"mode": "delimit", "canary": True, "preamble": "IMMUTABLE SYSTEM RULE: be good."},
            },
            batches={"poll_s": 0.1},
        )
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        clients = {}
        for role in KeyRole:
            _, secret = await plane.services.keys.create(settings.tenant, role.value, role, "test")
            client = httpx2.AsyncClient(
                base_url=address.url, headers={"authorization": f"Bearer {secret}"}, timeout=20, trust_env=False
            )
            clients[role.value] = await stack.enter_async_context(client)
        yield Running(fake, clients)


async def test_a_prompt_is_guarded_marked_and_introduced(running: Running) -> None:
    answer = await running.ask(f"I am {EMAIL}, and my key is {SECRET}", "marked")
    assert answer.status_code == 200, answer.text
    system, user = running.fake.requests[-1]["messages"]
    assert system["content"].startswith("IMMUTABLE SYSTEM RULE: be good.\n")
    (mark,) = set(re.findall(r"\[USER INPUT BEGINS ([0-9a-f]{16})\]", system["content"] + user["content"]))
    said = user["content"].removeprefix(f"[USER INPUT BEGINS {mark}]\n").removesuffix(f"\n[USER INPUT ENDS {mark}]")
    assert said.startswith("I am <EMAIL_1>, and my key is [")
    assert EMAIL not in running.sent
    assert SECRET not in running.sent


async def test_an_answer_that_was_guarded_is_given_again_in_its_run_alone(running: Running) -> None:
    asked = f"Is {EMAIL} a good address?"
    first = await running.ask(asked, "cached-1", temperature=0)
    assert first.status_code == 200, first.text
    async with asyncio.timeout(20):
        while (await running.clients["viewer"].get("/api/v1/cache")).json()["entries"] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    calls = running.fake.calls
    again = await running.ask(asked, "cached-1", temperature=0)
    assert again.headers["x-airside-cache"].startswith("exact")
    assert running.fake.calls == calls
    assert (await running.ask(f"Is x{EMAIL} a good address?", "cached-1", temperature=0)).status_code == 200
    assert running.fake.calls == calls + 1


async def test_a_canary_that_is_said_is_stopped(running: Running) -> None:
    def leaking(body: Any) -> Any:
        (word,) = re.findall(r"The word (\w+) is confidential", body["messages"][0]["content"])
        return text(f"It is {'.'.join(word.upper())}")

    usual, running.fake.reply = running.fake.reply, leaking
    try:
        answer = await running.ask("What is the word?", "leaking")
    finally:
        running.fake.reply = usual
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "guard_blocked")


async def test_what_was_found_in_a_run_can_be_read_without_the_text(running: Running) -> None:
    """Rule, place and mode of each call, from a page of one call to the next."""
    viewer = running.clients["viewer"]
    for words in (f"I am {EMAIL}", f"I am {EMAIL}, and my key is {SECRET}"):
        assert (await running.ask(words, "looked-at")).status_code == 200
    run = (await viewer.get("/api/v1/runs", params={"limit": 1})).json()["items"][0]["id"]
    found, cursor = [], ""
    while cursor is not None:
        query = {"run": run, "limit": 1, "cursor": cursor}
        page = (await viewer.get("/api/v1/guards/findings", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert [(one["guard"], one["place"], one["mode"]) for one in found] == [
        ("personal", "user", "tokenise"),
        ("personal", "user", "tokenise"),
        ("secrets", "user", "redact"),
    ]
    assert len({one["call_id"] for one in found}) == 2
    assert EMAIL not in str(found)
    assert SECRET not in str(found)
    assert (await viewer.get("/api/v1/guards/findings", params={"run": "run_none"})).status_code == 404


async def test_a_batch_is_guarded_too(running: Running) -> None:
    requests = [{"messages": [{"role": "user", "content": f"{words} {SECRET}"}]} for words in ("one", "two")]
    new = {"model": "gpt-5-fake", "requests": requests}
    answer = await running.clients["operator"].post("/api/v1/batches", json=new)
    assert answer.status_code in {200, 201, 202}, answer.text
    uploaded = next(one.raw for one in reversed(running.fake.seen) if one.path == "/v1/files")
    assert b"USER INPUT BEGINS" in uploaded
    assert b"two [" in uploaded
    assert SECRET not in running.sent
