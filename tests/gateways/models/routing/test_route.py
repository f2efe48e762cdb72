"""Which model answers: by agent, by wish, by name; capability, policy, what is journaled, and staying with a model."""

from typing import Any

import msgspec
import pytest

from airside.config.routing import FallbackSettings
from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.port import Addressed
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rules
from tests.gateways.models.routing.house import EASY, HARD, House, house, price, text_of

IMAGE = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


def asked(h: House) -> dict[str, int]:
    return {name: len(model.asked) for name, model in h.models.items() if model.asked}


async def refusal(h: House, *args: Any, **body: Any) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        await h.ask(*args, **body)
    assert asked(h) == {}
    return caught.value


async def test_an_easy_prompt_goes_to_the_small_model_and_a_hard_one_to_a_better() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY)
        other = await h.plane.start_run()
        await h.ask(other, HARD)
        (easy,), (hard,) = await h.notes(who), await h.notes(other)
        assert asked(h)["tiny"] == 1
        assert easy["route"]["model"] == "tiny"
        assert hard["route"]["model"] in {"medium", "large"}
        assert easy["route"]["source"] == "guessed"
        assert easy["route"]["by"] == "the model name auto"
        assert 0 < easy["route"]["confidence"] < 1
        assert {one["model"] for one in easy["route"]["alternatives"]} == {"medium", "large"}
        assert "France" not in str(easy)


async def test_the_call_is_reserved_and_charged_at_the_price_of_the_model_chosen() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY)
        (row,) = await h.plane.calls(who)
        assert row["name"] == "tiny"
        assert row["cost_nanousd"] == price("tiny").cost(Usage(input=100, output=10))


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"tools": TOOLS}, "medium"),
        ({"response_format": SCHEMA}, "medium"),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "large"),
        ({"max_tokens": 50_000}, "medium"),
    ],
)
async def test_only_models_that_can_are_considered(body: dict[str, Any], model: str) -> None:
    async with house() as h:
        await h.ask(await h.plane.start_run(), EASY, **body)
        assert asked(h) == {model: 1}


async def test_no_capable_model_is_an_error_that_says_what_each_lacks() -> None:
    async with house() as h:
        error = await refusal(h, await h.plane.start_run(), wish="small", tools=TOOLS)
        assert error.code is Code.INVALID_REQUEST
        assert "tiny lacks tools" in error.message
        error = await refusal(h, await h.plane.start_run(), max_tokens=900_000)
        assert "large lacks a window of" in error.message


@pytest.mark.parametrize(
    ("wish", "model", "name"),
    [("frontier", "large", "auto"), ("small", "tiny", "large"), ("other", "other", "auto"), ("off", "large", "large")],
)
async def test_the_callers_wish_beats_everything(wish: str, model: str, name: str) -> None:
    async with house(routing={"agents": {"agent": "auto"}}) as h:
        await h.ask(await h.plane.start_run(), EASY, wish=wish, model=name)
        assert asked(h) == {model: 1}


async def test_a_virtual_name_asks_for_a_tier_and_an_agent_can_be_routed_unasked() -> None:
    async with house(routing={"agents": {"agent": "auto"}}) as h:
        await h.ask(await h.plane.start_run(), EASY, model="airside/balanced")
        await h.ask(await h.plane.start_run(), EASY, model="large")
        assert asked(h) == {"medium": 1, "tiny": 1}


async def test_what_is_not_to_be_routed_is_left_alone() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY, model="large")
        assert asked(h) == {"large": 1}
        assert await h.notes(who) == [{}]


async def test_wishes_that_nothing_fulfils() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        assert (await refusal(h, who, wish="off")).code is Code.INVALID_REQUEST
    async with house(routing={"models": {}}) as h:
        error = await refusal(h, await h.plane.start_run(), wish="balanced", model="large")
        assert "no model of the tier balanced is configured" in error.message


async def test_an_agent_that_cannot_be_routed_keeps_the_model_that_it_names() -> None:
    async with house(routing={"agents": {"agent": "small"}}) as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY, model="other", tools=TOOLS)
        assert asked(h) == {"other": 1}
        ((note,),) = [[notes["route"] for notes in await h.notes(who)]]
        assert "tiny lacks tools" in note["reason"]


def only(*names: str) -> RulePolicy:
    rule = {"name": "some", "then": "allow", "models": names}
    return RulePolicy(Rules.model_validate({"models": "deny", "rules": [rule]}))


async def test_what_policy_forbids_by_name_is_no_candidate() -> None:
    async with house(policy=only("auto", "large")) as h:
        await h.ask(await h.plane.start_run(), EASY)
        assert asked(h) == {"large": 1}
        with pytest.raises(AirsideError, match="policy") as caught:
            await h.ask(await h.plane.start_run(), EASY, wish="tiny")
        assert caught.value.code is Code.POLICY_DENIED


@pytest.mark.parametrize("wish", ["airside/auto", "airside/small", "auto"])
async def test_a_virtual_name_as_a_wish_is_no_way_round_the_policy(wish: str) -> None:
    async with house(policy=only("auto", "airside/auto", "tiny")) as h:
        await h.ask(await h.plane.start_run(), EASY, wish=wish)
        assert asked(h) == {"tiny": 1}


async def test_a_conversation_stays_with_its_model_and_only_moves_up() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        turns: list[dict[str, Any]] = []
        for text in (EASY, HARD, EASY):
            turns.append({"role": "user", "content": text})
            await h.ask(who, messages=list(turns))
            turns.append({"role": "assistant", "content": "Paris."})
        models = [notes["route"]["model"] for notes in await h.notes(who)]
        assert models[0] == "tiny"
        assert models[1] != "tiny"
        assert models[2] == models[1]
        assert "stays" in (await h.notes(who))[2]["route"]["reason"]
        fresh = await h.plane.start_run()
        await h.ask(fresh, EASY)
        assert (await h.notes(fresh))[0]["route"]["model"] == "tiny"


async def test_a_later_attempt_is_given_the_recorded_answer_whatever_routing_says_now() -> None:
    async with house() as h:
        who = await h.plane.start_run()
        first = await h.ask(who, EASY)
        h.models["tiny"].said = "Lyon."
        again = await h.ask(await h.plane.next_attempt(who), EASY)
        assert again.replayed
        assert again.body == first.body
        assert asked(h) == {"tiny": 1}


async def test_a_killed_model_is_killed_however_it_is_reached() -> None:
    async with house() as h:
        h.plane.identities.killed.add("tiny")
        error = await refusal(h, await h.plane.start_run(), EASY)
        assert error.code is Code.KILLED


async def test_a_specialised_model_answers_its_domain_only() -> None:
    models = {
        "medium": {"tier": "balanced"},
        "large": {"tier": "frontier"},
        "other": {"tier": "specialised", "domain": "law"},
    }
    async with house(routing={"models": models, "domains": {"law": ["tort", "plaintiff", "statute"]}}) as h:
        law = "Prove why the plaintiff wins under the statute; explain step by step and compare the trade-offs. " * 3
        await h.ask(await h.plane.start_run(), law)
        assert asked(h) == {"other": 1}
        await h.ask(await h.plane.start_run(), HARD)
        assert asked(h)["other"] == 1


async def test_text_of_the_answer_is_that_of_the_model() -> None:
    async with house(said={"tiny": "I am tiny."}) as h:
        assert text_of(await h.ask(await h.plane.start_run(), EASY)) == "I am tiny."


async def test_embeddings_are_never_routed_nor_answered_by_another_model() -> None:
    settings = FallbackSettings(chains={"*": ["medium"]}, safe_answer="Please call us.")
    async with house(routing={"agents": {"agent": "auto"}}, fallbacks=settings) as h:
        call = h.call(await h.plane.start_run(), model="large")
        body = msgspec.json.encode({"model": "large", "input": "a cat"})
        request = EMBEDDINGS.parse(body, Addressed(), bytes_max=1_000)
        h.models["large"].said = AirsideError(Code.UPSTREAM_FAILED, "down")
        call = msgspec.structs.replace(call, payload=msgspec.structs.replace(call.payload, request=request))
        with pytest.raises(AirsideError, match="down"):
            await h.pipeline(call)
        assert asked(h) == {"large": 1}
