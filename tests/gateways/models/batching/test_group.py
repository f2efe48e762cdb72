"""Questions asked together: everyone gets their own answer and pays an exact share, and a reply that does not fit
costs nobody an answer."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airside.config.batching import BatchingSettings
from airside.config.settings import ModelPrice
from airside.core.call import Call, CallKind, CallState, Outcome, Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.batching.group import Group, Widen
from airside.gateways.models.batching.question import answers_in, question_of, shares, widened
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed
from airside.gateways.models.pricing import configured
from airside.gateways.models.provider import Ask, Route
from airside.journal.said import said
from airside.pipeline.refusal import charged_nothing
from tests.journal import world

SETTINGS = BatchingSettings(window_ms=5, calls_max=4)
PRICE = configured(ModelPrice(input=Decimal(1), output=Decimal(2)))


class Model:
    """A provider that answers what it is told, and keeps what it was asked."""

    name = "fake"
    timeout_s = 30.0

    def __init__(self, reply: Callable[[list[str]], str]) -> None:
        self.reply = reply
        self.asked: list[list[str]] = []

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        text = ask.request.prompt.messages[-1].text
        questions = json.loads(text.partition("\n\n")[2]) if text.startswith("Below are") else [text]
        self.asked.append(questions)
        reply = self.reply(questions) if len(questions) > 1 else f"alone: {questions[0]}"
        usage = Usage(input=101, output=37)
        body = {"id": "x", "choices": [{"message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}]}
        body |= {"model": "m", "object": "chat.completion", "created": 1}
        body["usage"] = {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": 138}
        return Outcome(
            state=CallState.OK, body=json.dumps(body).encode(), usage=usage, cost=ask.route.price.cost(usage), price="p"
        )


def good(questions: list[str]) -> str:
    return json.dumps([f"answer to {question}" for question in questions])


def asking(model: Model, text: str, *, system: str = "Be brief. " * 60, **more: Any) -> Call:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    body = json.dumps({"model": "m", "messages": messages, **more.pop("body", {})}).encode()
    request = CHAT.parse(body, Addressed(), bytes_max=10**6)
    ask = Ask(request, Route(model, "m", PRICE), CHAT.delivered(), [], 100)  # type: ignore[arg-type]
    known = {"kind": CallKind.MODEL, "name": "m", "payload": ask, "wishes": {"batch": "group"}}
    known["need"] = PRICE.need(request.input_tokens_bound, 100)
    return world.call(text, **(known | more))


async def ask_alone(call: Call) -> Outcome:
    ask: Ask = call.payload
    return await ask.route.provider.complete(call, ask)


async def asked(group: Group, *calls: Call) -> list[Outcome]:
    """Let calls through both ends, as the pipeline does."""

    async def record(call: Call) -> Outcome:
        outcome = await group(replace(call, output_tokens_granted=call.need.output_tokens))
        assert outcome.cost <= call.need.nanousd(call.need.output_tokens), "nobody pays more than was reserved"
        assert outcome.usage.total <= call.need.tokens(call.need.output_tokens)
        return outcome

    return await asyncio.gather(*[Widen(SETTINGS)(call, record) for call in calls])


async def test_everyone_gets_their_answer_and_shares_the_cost_exactly() -> None:
    model = Model(good)
    outcomes = await asked(Group(SETTINGS, ask_alone), *[asking(model, f"q{n} [\"'") for n in range(3)])
    assert model.asked == [[f"q{n} [\"'" for n in range(3)]]
    assert [said(outcome.body).text for outcome in outcomes] == [f"answer to q{n} [\"'" for n in range(3)]
    assert sum(outcome.cost for outcome in outcomes) == PRICE.cost(Usage(input=101, output=37))
    assert sum(outcome.usage.input for outcome in outcomes) == 101
    assert sum(outcome.usage.output for outcome in outcomes) == 37


@pytest.mark.parametrize("reply", ["no JSON", '["one"]', '["a", 2]', '{"0": "a"}', '["", "b"]'])
async def test_a_reply_that_does_not_fit_lets_each_ask_alone(reply: str) -> None:
    model = Model(lambda _: reply)
    outcomes = await asked(Group(SETTINGS, ask_alone), asking(model, "a"), asking(model, "b"))
    assert [said(outcome.body).text for outcome in outcomes] == ["alone: a", "alone: b"]
    assert sum(outcome.cost for outcome in outcomes) == 3 * PRICE.cost(Usage(input=101, output=37))


async def test_only_what_is_alike_and_of_one_subject_is_asked_together() -> None:
    model = Model(good)
    calls = [
        asking(model, "a"),
        asking(model, "b", identity=world.who(subject="somebody else")),
        asking(model, "c", identity=world.who(tenant_id="another")),
        asking(model, "d", system="Be long."),
        asking(model, "e", body={"temperature": 1}),
    ]
    await asked(Group(SETTINGS, ask_alone), *calls)
    assert sorted(model.asked) == [["a"], ["b"], ["c"], ["d"], ["e"]]


def test_what_is_not_one_plain_question_stands_alone() -> None:
    model = Model(good)
    assert question_of(asking(model, "a")) is not None
    assert question_of(asking(model, "a", wishes={})) is None
    assert question_of(asking(model, "a", body={"response_format": {"type": "json_object"}})) is None
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert question_of(asking(model, "a", body={"tools": tools})) is None
    assert question_of(asking(model, "a", ready=Outcome(state=CallState.OK, body=b""))) is None


async def test_a_group_too_small_to_pay_for_its_instructions_is_not_made() -> None:
    model = Model(good)
    await asked(Group(SETTINGS, ask_alone), asking(model, "a", system=""), asking(model, "b", system=""))
    assert sorted(model.asked) == [["a"], ["b"]]


async def test_failures_and_vanished_callers_leave_nobody_waiting() -> None:
    model = Model(good)
    failures = 0

    async def fail_together(call: Call) -> Outcome:
        nonlocal failures
        if not call.parts:
            failures += 1
            raise AirsideError(Code.UPSTREAM_TIMEOUT, "silent")
        return await ask_alone(call)

    group = Group(SETTINGS, fail_together)
    gone = asyncio.create_task(asked(group, asking(model, "gone")))
    await asyncio.sleep(0)
    gone.cancel()
    outcomes = await asked(group, asking(model, "a"), asking(model, "b"))
    assert failures == 1
    assert [said(outcome.body).text for outcome in outcomes] == ["alone: a", "alone: b"]
    assert not any(outcome.metered for outcome in outcomes), "what the failure cost is not known"


async def test_a_failure_after_a_paid_group_is_not_free() -> None:
    model = Model(lambda _: "no JSON")

    async def fail_alone(call: Call) -> Outcome:
        if call.parts:
            raise AirsideError(Code.RATE_LIMITED, "busy", details={"unbilled": True})
        return await ask_alone(call)

    group = Group(SETTINGS, fail_alone)
    calls = [replace(asking(model, text), notes={"batch": "group"}, output_tokens_granted=100) for text in "ab"]
    calls = [replace(call, need=widened(call.need)) for call in calls]
    errors = await asyncio.gather(*map(group, calls), return_exceptions=True)
    assert len(model.asked) == 1
    assert [isinstance(error, AirsideError) and charged_nothing(error) for error in errors] == [False, False]


async def test_a_full_group_is_closed() -> None:
    model = Model(good)
    await asked(Group(SETTINGS, ask_alone), *[asking(model, f"q{n}") for n in range(10)])
    assert max(len(questions) for questions in model.asked) == SETTINGS.calls_max
    assert sum(len(questions) for questions in model.asked) == 10


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.data())
def test_shares_are_exact_and_within_their_weights(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    divided = shares(amount, weights)
    assert sum(divided) == amount
    assert all(0 <= share <= weight for share, weight in zip(divided, weights, strict=True))


@given(st.text())
def test_no_reply_breaks_the_reading(text: str) -> None:
    found = answers_in(text, 2)
    assert found is None or len(found) == 2
    assert answers_in('```json\n["a", "b"]\n```', 2) == ["a", "b"]
