"""The context step on real Chat Completions requests: what goes upstream fits, and the client's request names it."""

import json
from typing import Any

import msgspec
import pytest

from airside.config.context import ContextSettings
from airside.config.settings import ModelPrice
from airside.core.call import Call, CallKind, CallState, Effect, Outcome, Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.context.leaving import Leaving
from airside.gateways.models.context.step import Context
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed
from airside.gateways.models.message import Answer, Prompt, Text
from airside.gateways.models.pricing import configured
from airside.gateways.models.provider import Ask, Route, on_route
from tests.gateways.models.world import IDENTITY

WINDOW = 2_000
RECALL = {"type": "function", "function": {"name": "recall", "parameters": {"type": "object"}}}


class Provider:
    name, timeout_s = "p", 10.0


class Asides:
    """Stands for the model that summarises."""

    def __init__(self, error: Code | None = None) -> None:
        self.prompts: list[Prompt] = []
        self.error = error

    async def ask(self, call: Call, prompt: Prompt, *, model: str, purpose: str) -> Answer:
        self.prompts.append(prompt)
        if self.error is not None:
            raise AirsideError(self.error)
        return Answer(blocks=(Text("they agreed on 42"),), stop="end", usage=None, model=model)


class Notices:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []

    def tell(self, tenant_id: str, kind: str, body: Any) -> None:
        self.told.append((tenant_id, kind, body))


class World:
    """The step, and what comes out of it."""

    def __init__(self, *, error: Code | None = None, **options: Any) -> None:
        self.asides, self.notices = Asides(error), Notices()
        chosen = ContextSettings(**{"mode": "overflow", **options})
        self.step = Context(lambda agent: chosen, Leaving(self.asides), self.notices)  # type: ignore[arg-type]
        self.passed: list[Call] = []
        self.reported = 0

    async def pass_on(self, call: Call) -> Outcome:
        self.passed.append(call)
        return Outcome(state=CallState.OK, body=b"{}", usage=Usage(input=self.reported), metered=bool(self.reported))

    async def send(self, messages: list[dict[str, Any]], **body: Any) -> Call:
        raw = json.dumps({"model": "m", "max_tokens": 50, "messages": messages, **body}).encode()
        request = CHAT.parse(raw, Addressed(), bytes_max=10_000_000)
        route = Route(Provider(), "m", configured(ModelPrice(input="1", output="1")), WINDOW)  # type: ignore[arg-type]
        call = Call(
            call_id="call_1",
            kind=CallKind.MODEL,
            name="m",
            token="t",
            parts=request.parts,
            effect=Effect.READ,
            idempotent=True,
            timeout_s=1,
            identity=IDENTITY,
            part_ids=tuple(bytes([index]) * 32 for index in range(len(request.parts))),
            payload=Ask(request, route, CHAT.delivered(), [], 100),
        )
        await self.step(on_route(call, route), self.pass_on)
        return self.passed[-1]


def talk(turns: int, chars: int = 800) -> list[dict[str, Any]]:
    """A task and so many turns, each a tool call and its result."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "compare the prices of everything"},
    ]
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "look", "arguments": f'{{"n": {turn}}}'}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": f"price {turn}: " + "x" * chars})
    return messages


def sent(call: Call) -> list[dict[str, Any]]:
    body = CHAT.forward(call.payload.request, model="m", output_tokens=50)
    return list(msgspec.json.decode(body)["messages"])


async def test_a_small_request_is_not_touched() -> None:
    world = World()
    call = await world.send(talk(1))
    assert sent(call) == talk(1)
    assert not call.notes
    assert not world.notices.told


async def test_from_eighty_percent_on_it_is_told() -> None:
    world = World()
    call = await world.send(talk(7))
    assert sent(call) == talk(7)
    assert 80 <= call.notes["context"]["used_percent"] <= 100
    assert [told[1] for told in world.notices.told] == ["context.nearly_full"]
    assert call.payload.told[0][0] == b"x-airside-context"


async def test_what_would_not_fit_leaves_oldest_first_and_the_name_stays_the_clients() -> None:
    world = World(keep_last_turns=2)
    messages = talk(20)
    call = await world.send(messages)
    left = sent(call)
    assert left[:2] == messages[:2]
    assert left[2]["role"] == "user"
    assert "left out" in left[2]["content"]
    assert left[-4:] == messages[-4:]
    assert sum(len(message["content"] or "") for message in left) / 4 <= WINDOW * 0.9
    assert len(call.parts) == len(messages) + 1  # the pieces are those of the client's request
    assert call.notes["context"]["left_out"] > 0
    again = await world.send(messages)
    assert sent(again) == left  # byte-stable


async def test_long_old_results_become_excerpts_that_recall_can_complete() -> None:
    world = World(keep_last_turns=1, result_tokens_max=100, excerpt_tokens=30)
    messages = talk(3, chars=4_000)
    call = await world.send(messages, tools=[RECALL])
    first = next(message for message in sent(call) if message["role"] == "tool")
    assert len(first["content"]) < 600
    assert f"handle {'03' * 8}" in first["content"]
    without = await world.send(messages)
    assert "recall" not in next(message for message in sent(without) if message["role"] == "tool")["content"]


async def test_a_summary_and_fitting_passages_stand_in_their_place_and_are_made_once() -> None:
    world = World(keep_last_turns=1, summary_model="tiny")
    messages = [*talk(12), {"role": "user", "content": "what was price 3 again?"}]
    text = sent(await world.send(messages))[2]["content"]
    assert "they agreed on 42" in text
    assert "price 3:" in text
    await world.send(messages)
    assert len(world.asides.prompts) == 1


async def test_a_summary_that_fails_costs_the_call_nothing_but_a_kill_stops_it() -> None:
    world = World(error=Code.BUDGET_EXHAUSTED, keep_last_turns=1, summary_model="tiny")
    assert "left out" in sent(await world.send(talk(20)))[2]["content"]
    with pytest.raises(AirsideError):
        await World(error=Code.KILLED, keep_last_turns=1, summary_model="tiny").send(talk(20))


@pytest.mark.parametrize("mode", ["off", "warn"])
async def test_only_the_modes_that_shorten_shorten(mode: str) -> None:
    world = World(mode=mode)
    call = await world.send(talk(20))
    assert sent(call) == talk(20)
    assert bool(world.notices.told) == (mode == "warn")


async def test_reported_usage_corrects_the_guess() -> None:
    world = World(mode="warn")
    for _ in range(30):
        world.reported = 3_000
        await world.send(talk(7))
    assert world.passed[-1].notes["context"]["used_percent"] > 130
