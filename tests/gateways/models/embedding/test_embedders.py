"""Embedders: the local model as it ships, and a provider's through asides, paid for like any call."""

import asyncio
import subprocess
import sys

import pytest
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.gateways.models.asides import Asides
from airside.gateways.models.embedding import local
from airside.gateways.models.embedding.local import LocalEmbedder
from airside.gateways.models.embedding.port import cosine
from airside.gateways.models.embedding.provider import CHARS_MAX, ProviderEmbedder
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.gateway import ask_provider
from airside.testing.calls import model_call
from tests.gateways.models.test_with_pipeline import airside
from tests.gateways.models.world import IDENTITY, MODEL

CALL = model_call(IDENTITY)


async def test_the_local_model_tells_meaning_and_refuses_what_it_would_cut_off() -> None:
    pytest.importorskip("onnxruntime", reason="comes with the extra `local`")
    pytest.importorskip("tokenizers", reason="comes with the extra `local`")
    embedder = LocalEmbedder()
    texts = ["How do I reset my password?", "How can I reset my password?", "Best pizza in Naples", "word " * 400]
    one, same, other, long = await embedder.embed(CALL, texts)
    assert one is not None
    assert same is not None
    assert other is not None
    assert long is None
    assert cosine(one, same) > 0.95
    assert cosine(one, other) < 0.4
    assert await embedder.embed(CALL, texts[:2] * 2) == [one, same, one, same]
    await embedder.close()


async def test_waiting_texts_are_bounded_and_what_is_remembered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WAITING_MAX", 2)
    monkeypatch.setattr(local, "REMEMBERED_MAX", 3)
    embedder = LocalEmbedder()
    monkeypatch.setattr(embedder, "vectors", lambda texts: [text.encode() for text in texts])
    asked = [embedder.embed(CALL, [str(n)]) for n in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, AirsideError)]
    assert [error.code for error in refused] == [Code.RATE_LIMITED] * 3
    await embedder.embed(CALL, list("abcdef"))
    assert len(embedder._remembered) == 3
    await embedder.close()


def test_without_the_extra_the_error_says_what_to_install() -> None:
    script = (
        "from airside.gateways.models.embedding.local import LocalEmbedder\n"
        "try: LocalEmbedder().vectors(['x'])\n"
        "except Exception as error: print(error.code, error.advice)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={}, check=True)
    if "misconfigured" not in ran.stdout:
        pytest.skip("the extra `local` is installed here")
    assert "extra `local`" in ran.stdout


async def test_a_providers_vectors_are_calls_of_their_own() -> None:
    async with airside() as (w, plane):
        who = await plane.start_run()
        asides = Asides(plane.pipeline(ask_provider), w.spy.routes, EMBEDDINGS)
        embedder = ProviderEmbedder(asides, MODEL)
        call = replace(model_call(who), identity=who)
        one, two, nothing = await embedder.embed(call, ["a cat", "a cat", "x" * (CHARS_MAX + 1)])
        assert one is not None
        assert one == two
        assert nothing is None
        (row,) = await plane.calls(who)
        assert (row["name"], row["state"]) == (MODEL, "ok")
        assert (await plane.balance(who))["spent_nanousd"] > 0
