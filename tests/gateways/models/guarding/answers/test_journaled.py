"""Guarded answers with the real journal: replayed to the byte, paid when blocked, closed when the client leaves."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest

from airside.composition.answers import answer_checks, answers_step
from airside.config.guards import GuardSettings
from airside.core.call import Call, Outcome
from airside.core.clock import SystemClock
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.models.asides import Asides
from airside.guards.defaults import scanner_of
from airside.guards.placeholders.vault import Vault
from airside.guards.ports import Value
from airside.guards.service import Guards
from airside.pipeline.compose import compose
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.fake_providers import Fault, text
from tests.gateways.models.guarding.answers.guarded import SECRET, Told
from tests.gateways.models.world import Spy, World, until, world

SAID = f"Of course: {SECRET} is the key. Bye."


class Piped(Spy):
    """The whole pipeline, with the guarding of answers; `settings` may change between attempts."""

    def __init__(self, plane: InMemoryPlane, **settings: Any) -> None:
        super().__init__()
        self.plane, self.given = plane, settings
        self.bodies: list[bytes] = []
        self.vault = Vault(plane.backend.database, plane.keyring, values_max=100)

    def pipeline(self, terminal: Forward) -> Forward:
        asides = Asides(compose(self.plane.steps(), terminal), _Late(self))  # type: ignore[arg-type]

        async def guard(call: Call, forward: Forward) -> Outcome:
            settings, told = GuardSettings.model_validate(self.given), Told()
            guards = Guards(settings, scanner_of(settings), self.vault, told, told, lambda agent: "")
            step = answers_step(settings, answer_checks(settings, guards, lambda who: ""), asides)
            outcome = await step(call, forward)
            self.bodies.append(outcome.body)
            return outcome

        return compose([*self.plane.steps(), guard], terminal)


class _Late:
    def __init__(self, spy: Spy) -> None:
        self._spy = spy

    def find(self, model: str) -> Any:
        assert self._spy.routes is not None
        return self._spy.routes.find(model)


@asynccontextmanager
async def airside(**settings: Any) -> AsyncIterator[tuple[World, InMemoryPlane, Piped]]:
    """Yield a gateway with the whole pipeline."""
    async with InMemoryPlane(policy=load(None), clock=SystemClock()) as plane:
        spy = Piped(plane, **settings)
        async with world(spy) as w:
            yield w, plane, spy


async def ask(w: World, who: Identity, **body: Any) -> httpx2.Response:
    """Ask as a run."""
    w.http.headers["authorization"] = f"Bearer {who.run_id}/{who.attempt}"
    return await w.ask("Hello", **body)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_replay_gives_the_same_bytes_whatever_guards_have_become(stream: bool) -> None:
    async with airside() as (w, plane, spy):
        w.fake.reply = lambda body: text(SAID)
        one = await plane.start_run()
        live = await ask(w, one, stream=stream)
        assert SECRET not in live.text
        for changed in ({"enabled": False}, {"modes": {"secrets": "block"}}, {"modes": {"secrets": "off"}}):
            spy.given = changed
            one = await plane.next_attempt(one)
            whole = await ask(w, one)
            assert whole.headers["x-airside-replayed"] == "true"
            assert whole.json()["choices"][0]["message"]["content"] == "Of course: [SECRET] is the key. Bye."
            assert stream or whole.content == live.content
        assert w.fake.calls == 1
        assert SECRET.encode() not in b"".join(spy.bodies)
        (outcome,) = [entry for entry in await plane.entries(one) if entry["type"] == "call.outcome"]
        (found,) = outcome["body"]["notes"]["guards"]
        assert (found["rule"], found["mode"], found["place"], found["span"]) == (
            "aws_access_key",
            "redact",
            "answer",
            [11, 31],
        )
        assert SECRET not in json.dumps(await plane.entries(one), default=str)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_blocked_answer_is_settled_at_its_cost_and_replays_as_blocked(stream: bool) -> None:
    async with airside(modes={"secrets": "block"}) as (w, plane, spy):
        w.fake.reply = lambda body: text(SAID)
        one = await plane.start_run()
        blocked = await ask(w, one, stream=stream, max_tokens=100)
        assert "guard_blocked" in blocked.text
        balance = await plane.balance(one)
        assert 0 < balance["spent_nanousd"] < 100 * 4_000 + 1_000_000
        assert (balance["reserved_nanousd"], balance["reserved_calls"]) == (0, 0)
        (outcome,) = [entry for entry in await plane.entries(one) if entry["type"] == "call.outcome"]
        assert outcome["body"]["metered"]
        assert outcome["body"]["notes"]["guards"][0]["mode"] == "block"
        spy.given = {}
        two = await plane.next_attempt(one)
        again = await ask(w, two, max_tokens=100)
        assert again.headers["x-airside-replayed"] == "true"
        assert again.json()["error"]["code"] == "guard_blocked"
        assert w.fake.calls == 1


async def test_a_client_that_leaves_in_the_middle_has_had_nothing_that_is_held() -> None:
    async with airside() as (w, plane, _):
        one = await plane.start_run()
        w.fake.reply = lambda body: text(SAID)
        w.fake.faults.append(Fault(stall_after=4))
        w.http.timeout = httpx2.Timeout(5)
        got = b""
        body = {"model": "fake-large", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        w.http.headers["authorization"] = f"Bearer {one.run_id}/{one.attempt}"
        with suppress(httpx2.ReadTimeout):
            async with w.http.stream("POST", "/v1/chat/completions", json=body) as response:
                async for chunk in response.aiter_bytes():
                    got += chunk
        assert b"Of cours" in got
        assert b"AKIA" not in got
        await until(lambda: w.fake.vanished == 1)
        await plane.afterwork.drain(5)
        assert (await plane.balance(one))["reserved_calls"] == 0


async def test_values_are_named_again_as_they_were_when_a_history_comes_back() -> None:
    async with airside() as (w, plane, spy):
        one = await plane.start_run()
        value = Value("PERSON", "Anna Berg")
        name = (await spy.vault.names(one, [value]))[value]
        w.fake.reply = lambda body: text(f"Dear {name}!")
        first = await ask(w, one)
        assert first.json()["choices"][0]["message"]["content"] == "Dear Anna Berg!"
        assert await spy.vault.names(one, [Value("PERSON", "Anna Berg")]) == {value: name}
        assert name.encode() not in b"".join(spy.bodies)


async def test_a_broken_stream_that_has_sent_nothing_may_be_tried_again() -> None:
    async with airside() as (w, plane, _):
        w.fake.reply = lambda body: text("Hello")  # a word that is held back until it ends
        w.fake.faults.append(Fault(cut_after=2))
        one = await plane.start_run()
        answer = await ask(w, one, stream=True)
        assert "Hello" in answer.text
        assert "error" not in answer.text
        assert w.fake.calls == 2
