"""Embeddings over HTTP: metered, reserved and replayed like any call, as the SDK asks for them, and never as a chat."""

from typing import Any

import pytest

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS, INPUTS_MAX
from airside.gateways.models.formats.port import Addressed, BrokenAnswer
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.providers.openai import BASE_URL as OPENAI
from tests.fake_providers import Fault
from tests.gateways.models.test_with_pipeline import airside
from tests.gateways.models.world import MODEL

BODY = Addressed()


async def embed(w: Any, who: Any, given: Any = "Hello", **more: Any) -> Any:
    headers = {"authorization": f"Bearer {who.run_id}/{who.attempt}"}
    return await w.http.post("/v1/embeddings", json={"model": MODEL, "input": given, **more}, headers=headers)


async def test_embeddings_are_paid_and_replayed_like_any_call() -> None:
    async with airside() as (w, plane):
        who = await plane.start_run()
        first = await embed(w, who, ["one", "two"])
        assert first.status_code == 200
        assert [item["index"] for item in first.json()["data"]] == [0, 1]
        balance = await plane.balance(who)
        assert balance["reserved_nanousd"] == 0
        assert balance["spent_tokens"] == first.json()["usage"]["prompt_tokens"]
        assert balance["spent_nanousd"] == balance["spent_tokens"] * 1_000  # a dollar a million
        who = await plane.next_attempt(who)
        again = await embed(w, who, ["one", "two"])
        assert again.headers["x-airside-replayed"] == "true"
        assert again.content == first.content
        assert w.fake.calls == 1


async def test_the_sdk_is_given_its_vectors() -> None:
    async with airside() as (w, plane):
        who = await plane.start_run()
        client = w.openai.with_options(api_key=f"{who.run_id}/{who.attempt}")
        made = await client.embeddings.create(model=MODEL, input=["a cat", "a dog"])
        assert len(made.data) == 2
        assert len(made.data[0].embedding) == len(made.data[1].embedding) > 8


@pytest.mark.parametrize("given", ["", [], [""], [1, -1], [[]], {"a": 1}, None, ["x", 1], ["x"] * (INPUTS_MAX + 1)])
async def test_what_is_no_input_is_refused_before_it_leaves(given: Any) -> None:
    async with airside() as (w, plane):
        refused = await embed(w, await plane.start_run(), given)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
        assert w.fake.calls == 0


async def test_an_answer_without_usage_is_charged_its_reservation_and_a_broken_one_fails() -> None:
    async with airside() as (w, plane):
        who = await plane.start_run()
        w.fake.faults.append(Fault(usage=None))
        assert (await embed(w, who, "x" * 1_000)).status_code == 200
        assert (await plane.balance(who))["spent_tokens"] >= 500
        w.fake.faults += [Fault(status=200, raw=b'{"data": []}')] * 3
        assert (await embed(w, await plane.start_run())).status_code == 502


def test_names_differ_where_the_vectors_would() -> None:
    def parts(body: bytes) -> Any:
        return EMBEDDINGS.parse(body, BODY, bytes_max=1_000).parts

    one = parts(b'{"model": "m", "input": "a"}')
    assert one == parts(b'{"input": ["a"], "model": "m"}')
    for other in (b'{"model": "m", "input": "b"}', b'{"model": "m", "input": "a", "dimensions": 8}'):
        assert parts(other) != one


def test_a_conversation_is_never_sent_as_embeddings_nor_the_reverse() -> None:
    request = EMBEDDINGS.parse(b'{"model": "m", "input": ["a", "b"]}', BODY, bytes_max=1_000)
    assert [message.text for message in request.prompt.messages] == ["a", "b"]
    with pytest.raises(AirsideError):
        EMBEDDINGS.request(request.prompt, model="m", output_tokens=1, stream=False)
    for body in (b"", b"[]", b'{"data": []}', b"\xff"):
        with pytest.raises(BrokenAnswer):
            EMBEDDINGS.usage(body)
    assert EMBEDDINGS.usage(b'{"data": [{}], "usage": {"prompt_tokens": -1}}') is None
    assert EMBEDDINGS.usage(b'{"data": [{}], "usage": {"prompt_tokens": 7}}') == Usage(input=7)
    assert b'"n"' in EMBEDDINGS.forward(request, model="n", output_tokens=1)
    assert EMBEDDINGS.forward(request, model="m", output_tokens=1) is request.body


def test_embedding_models_have_a_price_though_the_list_gives_none_for_output() -> None:
    price = Pricing().of("text-embedding-3-small", OPENAI)
    assert price.cost(Usage(input=1_000_000)) == 20_000_000
