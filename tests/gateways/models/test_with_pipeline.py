"""The gateway with the real pipeline and journal: replay to the byte in either mode, and budgets in real tokens."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from airside.core.budget import Limits
from airside.core.clock import SystemClock
from airside.core.money import NanoUsd
from airside.core.run import Identity
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.fake_providers import Fault, text, tool_calls
from tests.gateways.models.world import Spy, World, until, world

TOOLS = [{"type": "function", "function": {"name": "refund"}}]


class Piped(Spy):
    """The whole pipeline in place of the spy."""

    def __init__(self, plane: InMemoryPlane) -> None:
        super().__init__()
        self.plane = plane

    def pipeline(self, terminal: Any) -> Any:
        return self.plane.pipeline(terminal)


@asynccontextmanager
async def airside(**settings: Any) -> AsyncIterator[tuple[World, InMemoryPlane]]:
    async with InMemoryPlane(policy=load(None), clock=SystemClock()) as plane, world(Piped(plane), **settings) as w:
        yield w, plane


async def ask(w: World, who: Identity, text: str = "Hello", **body: Any) -> httpx2.Response:
    w.http.headers["authorization"] = f"Bearer {who.run_id}/{who.attempt}"
    return await w.ask(text, **body)


@pytest.mark.parametrize("first_streams", [False, True])
async def test_the_next_attempt_gets_the_same_bytes_in_either_mode(first_streams: bool) -> None:
    async with airside() as (w, plane):
        w.fake.reply = lambda body: tool_calls(("refund", {"who": "Zoë", "n": w.fake.calls}), content="Näheres folgt.")
        one = await plane.start_run()
        live = [await ask(w, one, stream=first_streams, tools=TOOLS) for _ in range(2)]
        assert [response.headers.get("x-airside-replayed") for response in live] in (["false"] * 2, [None] * 2)
        replays = []
        for _ in range(2):
            one = await plane.next_attempt(one)
            whole = [await ask(w, one, tools=TOOLS) for _ in range(2)]
            one = await plane.next_attempt(one)
            streamed = [await ask(w, one, stream=True, tools=TOOLS) for _ in range(2)]
            assert all(response.headers["x-airside-replayed"] == "true" for response in whole + streamed)
            replays.append([response.content for response in whole + streamed])
        assert replays[0] == replays[1]
        if not first_streams:
            assert [response.content for response in whole] == [response.content for response in live]
            for name in ("x-airside-call", "x-airside-clock"):
                assert [response.headers[name] for response in whole] == [response.headers[name] for response in live]
        assert [_argument(response, "n") for response in whole] == [1, 2]
        assert w.fake.calls == 2


def _argument(response: httpx2.Response, name: str) -> Any:
    (call,) = response.json()["choices"][0]["message"]["tool_calls"]
    return json.loads(call["function"]["arguments"])[name]


async def test_a_providers_refusal_replays_and_a_passing_failure_does_not() -> None:
    async with airside() as (w, plane):
        one = await plane.start_run()
        w.fake.faults.append(Fault(status=400, raw=b'{"error": {"message": "too long", "code": "context_length"}}'))
        refused = await ask(w, one)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "upstream_rejected")
        w.fake.faults.append(Fault(status=429, raw=b'{"error": {"code": "insufficient_quota"}}'))
        assert (await ask(w, one, "other")).status_code == 502
        two = await plane.next_attempt(one)
        again = await ask(w, two)
        assert again.json() == refused.json()
        assert again.headers["x-airside-replayed"] == "true"
        assert (await ask(w, two, "other")).status_code == 200
        assert w.fake.calls == 3


async def test_the_budget_caps_the_output_and_what_was_used_is_charged() -> None:
    async with airside() as (w, plane):
        probe = {"model": "fake-large", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8000}
        fixed = (len(json.dumps(probe, separators=(",", ":")).encode()) + 1) // 2 * 1_000
        one = await plane.start_run(Limits(nanousd=NanoUsd(fixed + 25 * 4_000)))
        answered = await ask(w, one, max_tokens=8000)
        assert answered.status_code == 200
        assert w.fake.requests[0]["max_tokens"] == 25
        usage = answered.json()["usage"]
        balance = await plane.balance(one)
        assert balance["spent_nanousd"] == 1_000 * usage["prompt_tokens"] + 4_000 * usage["completion_tokens"]
        assert balance["spent_tokens"] == usage["total_tokens"]
        assert (balance["reserved_nanousd"], balance["reserved_tokens"], balance["reserved_calls"]) == (0, 0, 0)
        while answered.status_code == 200:
            answered = await ask(w, one, max_tokens=8000)
        assert (answered.status_code, answered.json()["error"]["code"]) == (402, "budget_exhausted")
        assert (await plane.balance(one))["spent_nanousd"] <= fixed + 25 * 4_000


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -5, "completion_tokens": 1}])
async def test_unknown_usage_is_charged_in_full(usage: Any) -> None:
    async with airside() as (w, plane):
        one = await plane.start_run()
        w.fake.faults.append(Fault(usage=usage))
        assert (await ask(w, one, max_tokens=100)).status_code == 200
        bound = (len(w.fake.raw_requests[0]) + 1) // 2
        assert (await plane.balance(one))["spent_nanousd"] >= 100 * 4_000
        assert (await plane.balance(one))["spent_tokens"] in range(100, bound + 150)
        (outcome,) = [entry for entry in await plane.entries(one) if entry["type"] == "call.outcome"]
        assert (outcome["body"]["metered"], outcome["body"]["price"]) == (False, "configured")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_leaks_no_reservation(stream: bool) -> None:
    async with airside() as (w, plane):
        one = await plane.start_run()
        w.fake.reply = lambda body: text("many words " * 30)
        w.fake.faults.append(Fault(stall_after=5) if stream else Fault(stall=True))
        w.http.timeout = httpx2.Timeout(5, read=0.3)
        with pytest.raises(httpx2.ReadTimeout):
            await ask(w, one, stream=stream, max_tokens=100)
        await until(lambda: w.fake.vanished == 1)
        await plane.afterwork.drain(5)
        balance = await plane.balance(one)
        assert (balance["reserved_nanousd"], balance["reserved_calls"], balance["spent_calls"]) == (0, 0, 1)
        assert balance["spent_nanousd"] >= 100 * 4_000
