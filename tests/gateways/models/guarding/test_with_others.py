"""What later steps are given: names in caches, conversations to shorten, questions to compare, texts for asides."""

from typing import Any

import pytest
from msgspec.structs import replace

from airside.config.cache import CacheSettings
from airside.config.context import ContextSettings
from airside.config.guards import GuardRule
from airside.core.call import Call, CallState, Outcome
from airside.core.run import Identity
from airside.gateways.models.caching.keys import room_of
from airside.gateways.models.caching.wishes import question
from airside.gateways.models.context.leaving import Leaving
from airside.gateways.models.context.step import Context
from airside.gateways.models.message import Answer, Prompt, Text
from airside.guards.ports import Value
from tests.gateways.models.guarding.rig import EMAIL, SECRET, Notices, Numbered, Rig
from tests.gateways.models.guarding.talks import parsed
from tests.gateways.models.guarding.test_texts import call_of
from tests.gateways.models.routing.house import house
from tests.gateways.models.world import IDENTITY

TOKENISE = GuardRule(guards=["personal"], mode="tokenise")
OTHER = replace(IDENTITY, run_id="run_2")


async def guarded(rig: Rig, call: Call) -> Call:
    passed: list[Call] = []

    async def forward(made: Call) -> Outcome:
        passed.append(made)
        return Outcome(state=CallState.OK, body=b"{}")

    await rig.step(call, forward)
    return passed[0]


def asking(words: str, who: Identity = IDENTITY) -> Call:
    request = parsed("chat", {"model": "m", "messages": [{"role": "user", "content": words}], "temperature": 0})
    return replace(call_of(request), identity=who)


@pytest.mark.parametrize("stricter", [{"agents": ["strict", "beta-agent"]}, {"stages": ["beta"]}])
async def test_what_is_let_pass_for_one_agent_of_a_run_is_not_for_another(stricter: dict[str, list[str]]) -> None:
    rig = Rig(GuardRule(**stricter, mode="redact"), modes={"secrets": "observe"})
    lax = await guarded(rig, asking(f"key {SECRET}"))
    strict = await guarded(rig, asking(f"key {SECRET}", replace(IDENTITY, agent="beta-agent")))
    again = await guarded(rig, asking(f"key {SECRET}"))
    assert [SECRET.encode() in one.payload.request.body for one in (lax, strict, again)] == [True, False, True]


def room(call: Call) -> Any:
    return room_of(call, call.payload.request, CacheSettings(scope="tenant"), "v1")


async def test_an_answer_is_shared_only_where_the_same_was_replaced_by_the_same() -> None:
    first, second = Numbered(), Numbered()
    second.given[Value("EMAIL", "bob@lovelace.example")] = "<EMAIL_1>"
    one = await guarded(Rig(TOKENISE, placeholders=first), asking(f"is {EMAIL} right?"))
    same = await guarded(Rig(TOKENISE, placeholders=first), asking(f"is {EMAIL} right?", OTHER))
    other = await guarded(Rig(TOKENISE, placeholders=second), asking(f"is {EMAIL} right?", OTHER))
    plain = await guarded(Rig(), asking(f"is {EMAIL} right?"))
    assert room(one) == room(same)
    assert len({room(one), room(other), room(plain)}) == 3
    assert one.parts == other.parts == plain.parts


async def test_redacted_questions_are_shared_by_who_asks_the_same() -> None:
    one, two = [await guarded(Rig(), asking(f"is {SECRET} right?", who)) for who in (IDENTITY, OTHER)]
    assert room(one) == room(two)
    assert question(one.payload.request) == "is [SECRET] right?"


class Summaries:
    """Stands for the model that summarises."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, call: Call, prompt: Prompt, *, model: str, purpose: str) -> Answer:
        self.asked.append(str(prompt) + model + purpose + call.call_id)
        return Answer(blocks=(Text("they spoke"),), stop="end", usage=None, model=model)


async def test_a_summary_is_made_of_what_guards_let_go_on() -> None:
    summaries = Summaries()
    settings = ContextSettings(mode="early", summary_model="small", keep_last_turns=1)
    context = Context(lambda _: settings, Leaving(summaries), Notices())  # type: ignore[arg-type]
    turns = [
        {"role": role, "content": f"{at}: {EMAIL} {SECRET} {'words ' * 150}"}
        for at in range(20)
        for role in ("user", "assistant")
    ]
    request = parsed("chat", {"model": "m", "messages": [*turns, {"role": "user", "content": "so?"}]})
    call = call_of(request)
    call = replace(call, part_ids=tuple(bytes([at]) * 32 for at in range(len(call.parts))))
    ask = call.payload
    call = replace(call, payload=replace(ask, route=replace(ask.route, context_tokens=4_000)))
    passed: list[Call] = []

    async def forward(made: Call) -> Outcome:
        passed.append(made)
        return Outcome(state=CallState.OK, body=b"{}")

    async def shortened(made: Call) -> Outcome:
        return await context(made, forward)

    await Rig(TOKENISE).step(call, shortened)
    (said,) = passed
    assert len(said.payload.request.value["messages"]) < len(turns)
    for text in (*summaries.asked, said.payload.request.body.decode()):
        assert EMAIL not in text
        assert SECRET not in text
    assert "<EMAIL_1>" in said.payload.request.body.decode()


@pytest.mark.parametrize(
    "routing",
    [
        {"cascade": {"enabled": True, "judge": "judge"}},
        {"shadow": {"model": "medium", "share": 1.0, "judge": "judge"}},
    ],
)
async def test_judges_of_answers_are_given_what_guards_let_go_on(routing: dict[str, Any]) -> None:
    rig = Rig(TOKENISE)
    async with house(routing=routing, said={"judge": '{"mark": 0.9}'}, before=[rig.step]) as h:
        who = await h.plane.start_run()
        model = {} if "cascade" in routing else {"model": "large"}
        await h.ask(who, f"What is the capital of France? Yours, {EMAIL} {SECRET}", **model)
        await h.settled()
        assert h.models["judge"].asked
        for made in h.models.values():
            for ask in made.asked:
                said = str(ask.request.prompt)
                assert EMAIL not in said
                assert SECRET not in said
                assert "<EMAIL_1> [SECRET]" in said
