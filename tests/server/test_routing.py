"""Routing, feedback and fallbacks through the whole server: headers, management routes, runs that a person takes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving
from tests.fake_providers import KEY, FakeProvider, Fault, text
from tests.fake_providers import serving as providing
from tests.server.conftest import HERE, Served, _client_maker

REFUSED = Fault(status=401, raw=b'{"error": {"message": "no such key"}}')
PRICE = {"tiny": (1, 2), "large": (10, 40), "sick": (5, 5)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder: Path = tmp_path_factory.mktemp("airside")
    well, sick = FakeProvider(), FakeProvider()
    well.reply = lambda body: text(f"I am {body['model']}.")
    sick.faults.extend([REFUSED] * 1_000)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(providing(provider)) for provider in (well, sick)]
        kind = {"kind": "openai_compatible", "api_key": KEY}
        settings = load(
            None,
            {},
            data_dir=folder / "data",
            database={"url": "memory:"},
            server={"port": 0},
            runs={"isolation": "inline", "suspend_grace_s": 0.05},
            model_provider="well",
            providers={"well": {**kind, "base_url": urls[0]}, "sick": {**kind, "base_url": urls[1]}},
            models={
                name: {
                    "provider": "sick" if name == "sick" else "well",
                    "price": {"input": PRICE[name][0], "output": PRICE[name][1]},
                }
                for name in PRICE
            },
            agents={
                name: {"entry": "served_agents:hello", "path": [str(HERE)], "model": model}
                for name, model in (("routed", "auto"), ("stuck", "sick"))
            },
            routing={"models": {"tiny": {"tier": "small"}, "large": {"tier": "frontier"}}},
            fallbacks={"human": True, "safe_answer": "Please call us.", "chains": {"large": ["tiny"]}},
            resilience={"breakers": {"enabled": False}},
        )
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        client = _client_maker(stack, address.url)
        clients = {}
        for role in KeyRole:
            _, secret = await plane.services.keys.create(settings.tenant, role.value, role, "test")
            clients[role.value] = await client(secret)
        yield Served(plane, address.url, address.socket_path, clients)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(house: Served, model: str, said: str = "What is a cat?", **headers: str) -> httpx2.Response:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": said}]}
    return await house.clients["agent"].post("/v1/chat/completions", json=body, headers=headers)


async def test_the_answer_says_which_model_gave_it(house: Served) -> None:
    answer = await ask(house, "auto")
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "I am tiny."
    assert (answer.headers["x-airside-route"], answer.headers["x-airside-upstream"]) == ("tiny", "well/tiny")
    better = await ask(house, "auto", **{"x-airside-route": "frontier"})
    assert better.headers["x-airside-upstream"] == "well/large"
    wrong = await ask(house, "auto", **{"x-airside-route": "gigantic"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (404, "unknown_model")
    assert "off, auto, small, balanced, frontier" in wrong.text
    assert {"auto", "airside/small"} <= {
        item["id"] for item in (await house.clients["agent"].get("/v1/models")).json()["data"]
    }


async def test_an_answer_that_no_model_gave_is_labelled(house: Served) -> None:
    answer = await ask(house, "sick")
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "airside/safe-answer"
    assert answer.headers["x-airside-fallback"] == answer.headers["x-airside-upstream"] == "airside/safe-answer"


async def test_a_run_that_no_model_can_serve_is_left_to_a_person_with_what_it_came_to(house: Served) -> None:
    run_id = await house.submit("stuck", "hello")
    run = await house.until(run_id, "escalated", "failed", "succeeded")
    assert run["state"] == "escalated"
    assert "sick: upstream_failed" in run["message"]
    result = (await house.admin.get(f"/api/v1/runs/{run_id}/result")).json()["result"]
    assert result["effects"] == []
    assert "a person must take over" in result["reason"]


async def test_feedback_reaches_the_report_and_strangers_reach_nothing(house: Served) -> None:
    run_id = await house.submit("routed", "What is a dog?")
    await house.until(run_id, "succeeded")
    ((call,),) = [[one["id"] for one in (await house.admin.get(f"/api/v1/runs/{run_id}/calls")).json()["items"]]]
    reviewer = house.clients["reviewer"]
    path = f"/api/v1/calls/{call}/feedback"
    for score in (1, 0, 0.5):
        said = await reviewer.post(path, json={"run": run_id, "score": score})
        assert said.status_code == 200, said.text
    whole = await reviewer.post(f"/api/v1/runs/{run_id}/feedback", json={"score": 1.0, "source": "evaluation"})
    assert whole.json()["answers"] == 1
    for body in ({"run": run_id, "score": 2}, {"run": run_id}, {"run": run_id, "score": 1, "source": "cascade"}):
        assert (await reviewer.post(path, json=body)).status_code == 400
    assert (await reviewer.post(path, json={"run": "run_x", "score": 1})).status_code == 404
    assert (await house.clients["viewer"].post(path, json={"run": run_id, "score": 1})).status_code == 403

    report = (await house.clients["viewer"].get("/api/v1/routing/report")).json()
    assert report["quality"]["tiny"]["feedback"]["mean"] == 0.5
    assert report["quality"]["tiny"]["evaluation"]["n"] == 1
    assert report["routed"]["by_model"]["tiny"] >= 1
    assert report["routed"]["strongest"] == "large"
    assert 0.5 < report["routed"]["saved"] < 1
    assert report["fitted"] is None
    assert (await house.clients["viewer"].get("/api/v1/routing/shadows")).json() == {"items": []}
    assert (await house.clients["viewer"].get("/api/v1/routing/models")).json() == {"items": []}
    nothing = await house.admin.post("/api/v1/routing/models/active", json={"version": 3})
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
