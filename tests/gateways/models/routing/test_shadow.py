"""A candidate beside the live model: compared, never delivered, and on money of its own."""

from typing import Any

import pytest

from airside.core.budget import Limits
from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.gateways.models.message import ToolCall
from airside.journal.queries import Query
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rules
from tests.gateways.models.routing.house import EASY, House, house, text_of

ONE = Usage(input=100, output=10)
SHADOW: dict[str, Any] = {"shadow": {"model": "medium", "share": 1.0, "usd_per_day": "1"}}
_ROWS = Query("rows", "SELECT * FROM routing_shadows WHERE tenant_id = :tenant_id ORDER BY call_id")
_NODES = Query("nodes", "SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node LIKE 'shadow:%'")


async def rows(h: House, query: Query = _ROWS) -> list[dict[str, Any]]:
    await h.settled()
    found = await h.plane.backend.database.read(lambda tx: tx.fetch(query, tenant_id="default"))
    return [dict(row) for row in found]


async def test_the_candidate_is_compared_and_not_delivered() -> None:
    async with house(routing=SHADOW, said={"large": "It is Paris.", "medium": "It is Paris!"}) as h:
        who = await h.plane.start_run()
        outcome = await h.ask(who, EASY, model="large")
        assert text_of(outcome) == "It is Paris."
        (row,) = await rows(h)
        assert (row["live"], row["candidate"], row["agreement"]) == ("large", "medium", 1000)
        assert row["live_nanousd"] > row["candidate_nanousd"] > 0


@pytest.mark.parametrize(
    ("one", "two", "agreement"),
    [
        ("It is 42.", "It is 43.", 0),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', 1000),
        ([ToolCall("x", "look", '{"n": 1}')], [ToolCall("y", "look", '{"n":1}')], 1000),
        ([ToolCall("x", "look", '{"n": 1}')], "I would look.", 0),
    ],
)
async def test_agreement(one: Any, two: Any, agreement: int) -> None:
    async with house(routing=SHADOW, said={"large": one, "medium": two}) as h:
        await h.ask(await h.plane.start_run(), EASY, model="large")
        (row,) = await rows(h)
        assert row["agreement"] == agreement


async def test_a_candidate_that_policy_forbids_the_agent_is_not_sent_its_words() -> None:
    rule = {"name": "some", "then": "allow", "models": ["large"]}
    policy = RulePolicy(Rules.model_validate({"models": "deny", "rules": [rule]}))
    async with house(routing=SHADOW, policy=policy) as h:
        await h.ask(await h.plane.start_run(), EASY, model="large")
        assert await rows(h) == []
        assert h.models["medium"].asked == []


async def test_shadow_calls_cost_the_run_nothing_and_stop_at_their_own_cap() -> None:
    capped = {"shadow": {"model": "medium", "share": 1.0, "usd_per_day": "0.2"}}
    async with house(routing=capped) as h:
        who = await h.plane.start_run(Limits(nanousd=NanoUsd(10_000_000_000)))
        for turn in range(300):
            await h.ask(who, f"{EASY * 10} {turn}", model="large", max_tokens=8_000)
            await h.settled()
            if len(h.models["medium"].asked) <= turn:
                break
        live, shadowed = h.models["large"].asked, h.models["medium"].asked
        assert len(live) > len(shadowed) > 0
        (node,) = await rows(h, _NODES)
        assert 0 < node["spent_nanousd"] <= node["limit_nanousd"] == 200_000_000
        assert node["reserved_nanousd"] == 0
        spent = (await h.plane.balance(who))["spent_nanousd"]
        assert spent == sum(ask.route.price.cost(ONE) for ask in live)


async def test_a_failing_candidate_is_nobodys_concern() -> None:
    async with house(routing=SHADOW, said={"medium": AirsideError(Code.UPSTREAM_FAILED, "down")}) as h:
        assert text_of(await h.ask(await h.plane.start_run(), EASY, model="large")) == "Paris."
        assert await rows(h) == []


async def test_nothing_is_sent_for_a_share_of_zero_nor_beside_the_candidate_itself() -> None:
    async with house(routing={"shadow": {"model": "medium", "share": 0.0}}) as h:
        await h.ask(await h.plane.start_run(), EASY, model="large")
        assert await rows(h) == []
    async with house(routing=SHADOW) as h:
        await h.ask(await h.plane.start_run(), EASY, model="medium")
        assert await rows(h) == []


async def test_a_judge_compares_on_the_shadows_money() -> None:
    judged = {"shadow": {"model": "medium", "share": 1.0, "judge": "judge"}}
    async with house(routing=judged, said={"judge": '{"mark": 0.4}'}) as h:
        who = await h.plane.start_run()
        await h.ask(who, EASY, model="large")
        (row,) = await rows(h)
        assert row["agreement"] == 400
        spent = (await h.plane.balance(who))["spent_nanousd"]
        assert spent == h.routes.find("large").price.cost(ONE)
