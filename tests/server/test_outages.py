"""A whole airside before a provider that goes down and comes back: parking, refusals, limits, what operators see."""

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, RateLimitError

from airside.config.loading import load
from airside.core.dependencies import SHARED, Dependency
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving
from tests.fake_providers import KEY, FakeProvider, Fault
from tests.fake_providers import serving as providing
from tests.resilience.conftest import sql
from tests.server.conftest import HERE, Served, _client_maker

MODEL = (Dependency(SHARED, "provider:fake"), Dependency(SHARED, "model:fake/m"))
DOWN = Fault(status=503, raw=b'{"error":{"message":"overloaded"}}')


class Outage(deque[Fault]):
    """A fault for every request for as long as it is there."""

    def popleft(self) -> Fault:
        return self[0]


@pytest.fixture
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Served, FakeProvider]]:
    """A server in front of a fake provider; indirect parameters change its settings."""
    changes: dict[str, Any] = getattr(request, "param", {})
    provider = FakeProvider()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(providing(provider))
        known = {
            "data_dir": tmp_path / "data",
            "database": {"url": "memory:"},
            "server": {"port": 0},
            "runs": {"isolation": "inline", "suspend_grace_s": 0.05},
            "model_provider": "fake",
            "providers": {"fake": {"kind": "openai_compatible", "base_url": base_url, "api_key": KEY}},
            "models": {"any": {"provider": "fake", "model": "m", "price": {"input": 1, "output": 4}}},
            "agents": {"hello": {"entry": "served_agents:hello", "path": [str(HERE)], "model": "any"}},
            "resilience": {"breakers": {"consecutive_failures": 2, "cool_down_s": 0.3}},
        }
        settings = load(None, {}, **(known | changes))
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        client = _client_maker(stack, address.url)
        clients = {}
        for role in KeyRole:
            _, secret = await plane.services.keys.create(settings.tenant, role.value, role, "test")
            clients[role.value] = await client(secret)
        yield Served(plane, address.url, address.socket_path, clients), provider


def chat(text: str = "hello") -> dict[str, Any]:
    return {"model": "any", "messages": [{"role": "user", "content": text}]}


async def ask(served: Served, text: str = "hello", **headers: str) -> httpx2.Response:
    return await served.clients["agent"].post("/v1/chat/completions", json=chat(text), headers=headers)


async def down(served: Served, provider: FakeProvider) -> None:
    """Take the provider down, and meet it until the breaker is open."""
    provider.faults = Outage([DOWN])
    answer = await ask(served, "is anybody there?")
    assert answer.status_code in {502, 503}, answer.text
    assert not served.plane.resilience.breakers.closed(MODEL)


async def test_a_run_waits_for_a_provider_that_is_down_and_ends_well(house: tuple[Served, FakeProvider]) -> None:
    served, provider = house
    await down(served, provider)
    run_id = await served.submit("hello", "good morning")
    parked = await served.until(run_id, "parked")
    assert parked["code"] == "breaker_open"
    provider.faults = deque()
    run = await served.until(run_id, "succeeded", "failed")
    assert (run["state"], run["attempt"] > 1) == ("succeeded", True)


async def test_an_outside_caller_is_told_when_to_ask_again(house: tuple[Served, FakeProvider]) -> None:
    served, provider = house
    await served.plane.resilience.breakers.force("default", "provider:fake", off=True, by="test")
    before = provider.calls
    answer = await ask(served)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "breaker_open"
    assert provider.calls == before
    reserved = await sql(served.plane.database, "SELECT sum(reserved_nanousd) AS n FROM budgets")
    assert reserved == [{"n": 0}]
    entries = await sql(served.plane.database, "SELECT body FROM entries WHERE type = 'call.refused'")
    assert json.loads(bytes(entries[-1]["body"]))["state"] == "breaker"


async def test_operators_list_and_switch_breakers(house: tuple[Served, FakeProvider]) -> None:
    served, _ = house
    operator, viewer = served.clients["operator"], served.clients["viewer"]
    assert (await viewer.get("/api/v1/breakers")).json() == {"items": []}
    answer = await operator.post("/api/v1/breakers", json={"key": "provider:fake", "state": "open"})
    assert answer.status_code == 200, answer.text
    (item,) = (await viewer.get("/api/v1/breakers")).json()["items"]
    assert (item["key"], item["state"], item["forced"], item["shared"]) == ("provider:fake", "open", True, True)
    assert (await ask(served)).status_code == 503
    await operator.post("/api/v1/breakers", json={"key": "provider:fake", "state": "closed"})
    assert (await ask(served)).status_code == 200
    assert (await viewer.post("/api/v1/breakers", json={"key": "tool:t", "state": "open"})).status_code == 403
    wrong = await operator.post("/api/v1/breakers", json={"key": "everything", "state": "open"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_request")


async def test_another_tenants_key_does_not_switch_what_all_share(house: tuple[Served, FakeProvider]) -> None:
    served, _ = house
    _, secret = await served.plane.services.keys.create("other", "ops", KeyRole.OPERATOR, "test")
    headers = {"authorization": f"Bearer {secret}"}
    for key, status in (("provider:fake", 403), ("model:fake/m", 403), ("tool:t", 200)):
        body = {"key": key, "state": "open"}
        answer = await served.clients["viewer"].post("/api/v1/breakers", json=body, headers=headers)
        assert answer.status_code == status


LIMITED = {
    "rates": {
        "calls": {"key": {"requests_per_minute": 3}},
        "submissions": {"key": {"requests_per_minute": 2}},
    }
}


@pytest.mark.parametrize("house", [LIMITED], indirect=True)
async def test_too_many_calls_get_429(house: tuple[Served, FakeProvider]) -> None:
    served, provider = house
    statuses = [(await ask(served, str(number))).status_code for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = await ask(served)
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert "rates.calls.key.requests_per_minute" in refused.text
    assert provider.calls == 3
    key = str(served.clients["agent"].headers["authorization"]).removeprefix("Bearer ")
    sdk = AsyncOpenAI(api_key=key, base_url=f"{served.url}/v1", max_retries=0)
    with pytest.raises(RateLimitError):
        await sdk.chat.completions.create(**chat())
    await sdk.close()


@pytest.mark.parametrize("house", [LIMITED], indirect=True)
async def test_too_many_submissions_get_429(house: tuple[Served, FakeProvider]) -> None:
    served, _ = house
    answers = [await served.admin.post("/api/v1/runs", json={"agent": "hello", "input": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    other = await served.clients["operator"].post("/api/v1/runs", json={"agent": "hello", "input": "x"})
    assert other.status_code == 202, "another key"


FORWARDED = {"rates": {"calls": {"address": {"requests_per_minute": 1}}, "trusted_proxies": ["127.0.0.0/8"]}}
SPOOFED = {"rates": {"calls": {"address": {"requests_per_minute": 1}}}}


@pytest.mark.parametrize(
    ("house", "expected"), [(FORWARDED, [200, 200, 429]), (SPOOFED, [200, 429, 429])], indirect=["house"]
)
async def test_addresses_are_told_apart_behind_trusted_proxies_only(
    house: tuple[Served, FakeProvider], expected: list[int]
) -> None:
    served, _ = house
    seen = [
        (await ask(served, "x", **{"x-forwarded-for": peer})).status_code for peer in ("1.1.1.1", "2.2.2.2", "1.1.1.1")
    ]
    assert seen == expected


async def test_a_callers_deadline_ends_the_upstream_request(house: tuple[Served, FakeProvider]) -> None:
    served, provider = house
    provider.faults = deque([Fault(stall=True)])
    answer = await ask(served, "slow", **{"x-airside-timeout-s": "0.4"})
    assert answer.status_code == 504, answer.text
    assert served.plane.resilience.breakers.closed(MODEL), "its impatience is not the provider's failure"
    wrong = await ask(served, "slow", **{"x-airside-timeout-s": "soon"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_request")
