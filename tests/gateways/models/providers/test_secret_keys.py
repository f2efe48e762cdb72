"""Providers whose key is a handle: resolved for each request, renewed when it is refused, told nowhere."""

import asyncio
from pathlib import Path

import pytest

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code
from airside.gateways.models.providers.configured import providers
from airside.secrets.lease import Document
from airside.secrets.store import down
from tests.fake_providers import KEY
from tests.gateways.models.places import place
from tests.secrets.parts import PlayedStore, service

HANDLE = "secret://house/provider#key"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 50}


def document(value: str) -> Document:
    return Document({"key": value}, f"v-{value}")


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "anthropic", "gemini", "azure", "mistral"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_that_was_rotated_is_not_seen_by_the_caller(kind: str, stream: bool, tmp_path: Path) -> None:
    store = PlayedStore(lambda _: document("an-old-key-of-before"))
    secrets = service(store)
    await secrets.resolve(HANDLE)  # held from before the rotation
    store.answer = lambda _: document(KEY)
    async with place(kind, tmp_path, secrets=secrets, api_key=HANDLE) as world:
        answered = await asyncio.gather(
            *[world.http.post("/v1/chat/completions", json=BODY | {"stream": stream}) for _ in range(10)]
        )
        assert {answer.status_code for answer in answered} == {200}
    assert store.asked <= 3


async def test_a_key_that_is_wrong_in_the_store_too_fails_and_is_not_told(tmp_path: Path) -> None:
    store = PlayedStore(lambda _: document("an-old-key-of-before"))
    async with place("openai", tmp_path, secrets=service(store), api_key=HANDLE) as world:
        answer = await world.http.post("/v1/chat/completions", json=BODY)
        assert answer.status_code == 502
        assert "an-old-key" not in answer.text
    assert store.asked == 2


async def test_without_its_key_no_request_leaves(tmp_path: Path) -> None:
    def fails(_: str) -> Document:
        raise down("house", "is away")

    async with place("openai", tmp_path, secrets=service(PlayedStore(fails)), api_key=HANDLE) as world:
        answer = await world.http.post("/v1/chat/completions", json=BODY)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == Code.SECRET_UNAVAILABLE
        assert world.fake.seen == []


@pytest.mark.parametrize("key", ["secret://nowhere/x", "secret://house/../x"])
def test_a_handle_that_can_never_be_resolved_is_refused_at_the_start(key: str) -> None:
    settings = ProviderSettings.model_validate({"kind": "openai", "base_url": "http://127.0.0.1:9", "api_key": key})
    with pytest.raises(AirsideError, match=r"providers\.p\.api_key") as caught:
        providers({"p": settings}, mark_prefixes=True, secrets=service(PlayedStore(lambda _: document(KEY))))
    assert caught.value.code is Code.MISCONFIGURED
