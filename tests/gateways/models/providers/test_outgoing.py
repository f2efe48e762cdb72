"""What leaves to a provider holds no value of a secret, whatever its format; nothing else is changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airside.core.errors import Code
from airside.gateways.models.outgoing import WithoutSecrets
from airside.secrets.handle import Handle
from airside.secrets.watch import Watch
from tests.gateways.models.places import place
from tests.secrets.parts import HandClock

VALUE, HANDLE = "value-4Gk1zP0tQ9xW", "secret://house/github"


class Noted:
    """Notices, kept."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((kind, body))


def cleaning() -> tuple[WithoutSecrets, Noted]:
    watch, notices = Watch(HandClock(), 3_600), Noted()
    watch.remember("default", Handle("house", "github"), "v1", VALUE)
    return WithoutSecrets(watch, notices), notices


def said(*texts: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": text} for text in texts]
    return {"model": "m", "messages": messages, "max_completion_tokens": 50}


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "bedrock", "vertex"])
async def test_a_value_in_a_conversation_does_not_reach_the_provider(kind: str, tmp_path: Path) -> None:
    clean, notices = cleaning()
    async with place(kind, tmp_path, clean=clean) as world:
        first = await world.http.post("/v1/chat/completions", json=said("hello"))
        second = await world.http.post("/v1/chat/completions", json=said(f"log in with {VALUE[::-1]} please"))
        assert (first.status_code, second.status_code) == (200, 200)
        sent = [str(request.body) for request in world.fake.seen][-1]
    assert VALUE[::-1] not in sent
    assert f"log in with {HANDLE} please" in sent
    assert [(kind, body["secrets"]) for kind, body in notices.told] == [("secret.leaving", [HANDLE])]


async def test_a_value_in_pieces_stops_the_call(tmp_path: Path) -> None:
    clean, _ = cleaning()
    async with place("openai_compatible", tmp_path, clean=clean) as world:
        texts = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stop": [VALUE[:9], VALUE[9:]]}
        answer = await world.http.post("/v1/chat/completions", json=texts)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == Code.GUARD_BLOCKED
        assert world.fake.seen == []
