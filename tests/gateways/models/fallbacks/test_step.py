"""When a model cannot answer: other models, a rule, a person, a safe answer, in this order and only where it may."""

import asyncio
from typing import Any

import msgspec
import pytest

from airside.config.routing import FallbackRule, FallbackSettings
from airside.core.budget import Limits
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded, TransientError
from airside.core.money import NanoUsd
from tests.gateways.models.routing.house import EASY, House, house, text_of

CHAIN = FallbackSettings(chains={"large": ["medium", "tiny"]})
DOWN = TransientError(Code.UPSTREAM_FAILED, "down", details={"unbilled": True})
KEYLESS = AirsideError(Code.UPSTREAM_FAILED, "it does not accept airside's credential", details={"unbilled": True})
OPEN = AirsideError(Code.BREAKER_OPEN, "switched off", details={"breaker": "provider:large", "unbilled": True})
BUSY = TransientError(Code.RATE_LIMITED, "too many", details={"unbilled": True})
SLOW = TransientError(Code.UPSTREAM_TIMEOUT, "no answer")
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def asked(h: House) -> dict[str, int]:
    return {name: len(model.asked) for name, model in h.models.items() if model.asked}


@pytest.mark.parametrize(("failure", "tries"), [(DOWN, 3), (KEYLESS, 1), (OPEN, 1), (BUSY, 3), (SLOW, 3)])
async def test_another_model_answers_and_each_hop_is_journaled_with_its_reason(failure: Any, tries: int) -> None:
    async with house(fallbacks=CHAIN, said={"large": failure, "medium": "from medium"}) as h:
        who = await h.plane.start_run()
        call = h.call(who, EASY, model="large")
        outcome = await h.pipeline(call)
        assert (text_of(outcome), outcome.upstream) == ("from medium", "medium/medium")
        assert asked(h) == {"large": tries, "medium": 1}
        note = (await h.notes(who))[-1]["fallback"]
        assert note == {"after": [{"model": "large", "code": failure.code.value}], "to": "medium"}
        assert (b"x-airside-fallback", b"medium") in call.payload.told
        (row,) = await h.plane.calls(who)
        assert row["state"] == "ok"
        balance = await h.plane.balance(who)
        assert balance["reserved_nanousd"] == balance["reserved_calls"] == 0


async def test_every_hop_is_reserved_at_the_price_of_its_own_model() -> None:
    async with house(fallbacks=FallbackSettings(chains={"tiny": ["large", "medium"]}), said={"tiny": DOWN}) as h:
        who = await h.plane.start_run(Limits(nanousd=NanoUsd(200_000_000)))  # enough for medium, too little for large
        outcome = await h.ask(who, EASY, model="tiny", max_tokens=2_000)
        assert outcome.upstream in {"large/large", "medium/medium"}
        reserved = [
            row["body"]["need"]["nanousd"] for row in await h.plane.entries(who) if row["type"] == "call.intent"
        ]
        assert len(set(reserved)) > 1


@pytest.mark.parametrize(
    "code", [Code.INVALID_REQUEST, Code.UPSTREAM_REJECTED, Code.POLICY_DENIED, Code.GUARD_BLOCKED, Code.KILLED]
)
async def test_what_another_provider_cannot_help_is_not_tried_elsewhere(code: Code) -> None:
    settings = CHAIN.model_copy(update={"safe_answer": "Sorry."})
    async with house(fallbacks=settings, said={"large": AirsideError(code, "no")}) as h:
        with pytest.raises(AirsideError) as caught:
            await h.ask(await h.plane.start_run(), EASY, model="large")
        assert caught.value.code is code
        assert asked(h) == {"large": 1}


async def test_a_spent_budget_is_no_reason_to_fall_back() -> None:
    settings = CHAIN.model_copy(update={"safe_answer": "Sorry."})
    async with house(fallbacks=settings) as h:
        with pytest.raises(AirsideError) as caught:
            await h.ask(await h.plane.start_run(Limits(nanousd=NanoUsd(1))), EASY, model="large")
        assert caught.value.code is Code.BUDGET_EXHAUSTED
        assert asked(h) == {}


async def test_models_that_cannot_are_passed_over() -> None:
    async with house(fallbacks=FallbackSettings(chains={"*": ["tiny", "medium"]}), said={"large": KEYLESS}) as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY, model="large", tools=TOOLS)
        assert asked(h) == {"large": 1, "medium": 1}
        assert (await h.notes(who))[-1]["fallback"]["after"][1] == {"model": "tiny", "code": "lacks tools"}


async def test_the_first_failure_is_told_if_nothing_answers() -> None:
    said = {"large": OPEN, "medium": KEYLESS, "tiny": DOWN}
    async with house(fallbacks=CHAIN, said=said) as h:
        with pytest.raises(AirsideError) as caught:
            await h.ask(await h.plane.start_run(), EASY, model="large")
        assert caught.value.code is Code.BREAKER_OPEN
        assert caught.value.details["breaker"] == "provider:large"
        assert caught.value.details["tried"] == "large: breaker_open, medium: upstream_failed, tiny: upstream_failed"


async def test_without_a_chain_the_failure_stays_as_it_was() -> None:
    async with house(said={"large": DOWN}) as h:
        with pytest.raises(MaxRetriesExceeded) as caught:
            await h.ask(await h.plane.start_run(), EASY, model="large")
        assert "tried" not in caught.value.details


async def test_a_rule_answers_before_the_safe_answer_and_is_labelled() -> None:
    settings = FallbackSettings(
        rules=[FallbackRule(pattern=r"\bopening hours\b", answer="We open at nine.")], safe_answer="Please call us."
    )
    async with house(fallbacks=settings, said={"large": DOWN}) as h:
        who = await h.plane.start_run()
        call = h.call(who, "Your OPENING hours?", model="large")
        outcome = await h.pipeline(call)
        assert text_of(outcome) == "We open at nine."
        assert msgspec.json.decode(outcome.body)["model"] == "airside/rule"
        assert (b"x-airside-fallback", b"airside/rule") in call.payload.told
        other = await h.ask(who, "And now?", model="large")
        assert text_of(other) == "Please call us."
        assert other.upstream == "airside/safe-answer"
        rows = await h.plane.calls(who)
        assert {row["state"] for row in rows} == {"ok"}
        assert sum(row["cost_nanousd"] for row in rows) == 0
        again = await h.ask(await h.plane.next_attempt(who), "And now?", model="large")
        assert again.replayed
        assert text_of(again) == "Please call us."


async def test_a_person_takes_over_a_supervised_run_before_the_safe_answer_is_given() -> None:
    settings = FallbackSettings(human=True, safe_answer="Please call us.")
    async with house(fallbacks=settings, said={"large": DOWN}) as h:
        task = asyncio.ensure_future(h.ask(await h.plane.start_run(), EASY, model="large"))
        await asyncio.wait_for(h.plane.suspensions.happened.wait(), 10)
        ((_, state, message),) = h.plane.suspensions.asked
        assert state == "escalated"
        assert "large: upstream_failed" in message
        assert h.notices.kinds == ["run.escalated"]
        assert not task.done()
        task.cancel()
        alone = await h.plane.start_run(supervised=False)
        assert text_of(await h.ask(alone, EASY, model="large")) == "Please call us."


async def test_a_stream_that_has_begun_is_not_begun_again() -> None:
    async with house(fallbacks=CHAIN) as h:
        call = h.call(await h.plane.start_run(), EASY, model="large", stream=True)

        def fails(ask: Any) -> AirsideError:
            ask.delivered.role = True
            return AirsideError(Code.UPSTREAM_FAILED, "cut")

        h.models["large"].said = fails
        assert not call.payload.delivered.anything
        with pytest.raises(AirsideError, match="cut"):
            await h.pipeline(call)
        assert asked(h) == {"large": 1}


async def test_no_model_is_tried_past_the_deadline_but_a_safe_answer_is_given() -> None:
    settings = CHAIN.model_copy(update={"safe_answer": "Please call us."})
    async with house(fallbacks=settings, said={"large": KEYLESS}) as h:
        call = msgspec.structs.replace(h.call(await h.plane.start_run(), EASY, model="large"), deadline_s=0.04)
        assert text_of(await h.pipeline(call)) == "Please call us."
        assert asked(h) == {"large": 1}
