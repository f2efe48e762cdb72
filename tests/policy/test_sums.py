"""Sums of rules through the whole pipeline: many agents at once never move more than a rule allows."""

import asyncio
from random import Random
from typing import Any

import pytest

from airside.core.call import Call, Effect, Outcome
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code
from airside.core.policy import Counter, Verdict
from airside.core.tool import Tool
from airside.policy import parse
from airside.policy.analysis.examples import WrittenCall
from airside.policy.conditions import Period
from airside.policy.layers import LayeredPolicy, Layers
from airside.policy.periods import period_start_us
from airside.policy.windows import UNLIMITED, Place
from airside.policy.witness import PolicyWitness
from airside.testing.calls import tool_call
from airside.testing.plane import InMemoryPlane
from airside.testing.terminal import echo

PAY = Tool(name="pay", description="", schema={}, effect=Effect.WRITE, amount_argument="usd")


def policy_of(text: str, salt: bytes = b"") -> LayeredPolicy:
    return LayeredPolicy(Layers(parse(text, place=Place("", "UTC", salt))))


def counters(policy: LayeredPolicy, **call: Any) -> dict[str, Counter]:
    """What a call of `pay` adds to, by name."""
    known = {"tool": "pay", "arguments": {"usd": 5}} | call
    asked, tool = WrittenCall.model_validate(known).asked({"pay": PAY})
    assert tool is not None
    return {counter.name: counter for counter in policy.counters(asked, tool)}


def limits(policy: LayeredPolicy, **call: Any) -> tuple[Verdict, list[int]]:
    """The verdict on a call of `pay`, and the limits its counters carry, in dollars or calls."""
    known = {"tool": "pay", "arguments": {"usd": 5}} | call
    decision = WrittenCall.model_validate(known).decided(policy, {"pay": PAY})
    return decision.verdict, [c.limit if c.amount == 1 else c.limit // 10**9 for c in decision.counters]


def test_an_allowed_call_carries_the_limit_it_relies_on() -> None:
    policy = policy_of("rules: [{name: a, then: allow, tools: pay, sum: {per: day, at_most: 100}}]")
    assert limits(policy) == (Verdict.ALLOW, [100])
    assert limits(policy, moved_usd=95)[0] is Verdict.ALLOW
    assert limits(policy, moved_usd="95.01")[0] is Verdict.DENY
    assert limits(policy, arguments={"usd": "many"})[0] is Verdict.DENY


def test_rules_that_ask_or_deny_above_a_sum_limit_it_too() -> None:
    policy = policy_of("""
rules:
  - {name: all, then: allow, tools: pay}
  - {name: more, then: ask, tools: pay, sum: {per: day, above: 100}}
  - {name: most, then: deny, tools: pay, sum: {per: day, above: 1000}}
""")
    assert limits(policy) == (Verdict.ALLOW, [100])
    assert limits(policy, moved_usd=100) == (Verdict.ASK, [1000])
    assert limits(policy, moved_usd=1000) == (Verdict.DENY, [])


def test_what_no_limit_bounds_is_counted_all_the_same() -> None:
    policy = policy_of("""
rules:
  - {name: all, then: allow, tools: "*"}
  - {name: some, then: allow, tools: pay, sum: {per: day, at_most: 1}}
""")
    assert limits(policy) == (Verdict.ALLOW, [UNLIMITED // 10**9])


def test_equal_definitions_share_a_sum_and_others_do_not() -> None:
    policy = policy_of("""
rules:
  - {name: a, then: allow, tools: [pay, refund], sum: {per: day, at_most: 5}}
  - {name: b, then: ask, tools: [refund, pay], sum: {per: day, above: 9}}
  - {name: c, then: ask, tools: pay, sum: {per: day, above: 9}}
  - {name: d, then: ask, tools: pay, sum: {per: hour, above: 9}}
  - {name: e, then: ask, tools: other, sum: {per: day, above: 9}}
""")
    assert len(counters(policy)) == 3


def test_sums_by_a_value_are_apart_and_do_not_tell_it() -> None:
    text = "rules: [{name: a, then: allow, tools: pay, sum: {per: day, at_most: 5, by: argument.to}}]"
    policy = policy_of(text, b"salt")
    one, other = (set(counters(policy, arguments={"usd": 5, "to": to})) for to in ("DE1", "DE2"))
    assert one.isdisjoint(other)
    assert one != set(counters(policy_of(text, b"other salt"), arguments={"usd": 5, "to": "DE1"}))
    assert not any("DE1" in name for name in one)
    for to in (None, ["DE1", "DE2"], {"a": 1}):
        assert limits(policy, arguments={"usd": 5, "to": to})[0] is Verdict.DENY
    assert limits(policy)[0] is Verdict.DENY


@pytest.mark.parametrize(
    ("zone", "minutes"), [("Europe/Berlin", 23 * 60), ("America/New_York", 24 * 60), ("Asia/Kolkata", 24 * 60)]
)
def test_days_are_as_long_as_the_clocks_make_them(zone: str, minutes: int) -> None:
    at_us = 1_774_756_800 * 10**6  # 2026-03-29T04:00Z: summer time began in Berlin that night
    start = period_start_us(Period.DAY, zone, at_us)
    length = 0
    while period_start_us(Period.DAY, zone, start + length * 60 * 10**6) == start:
        length += 1
    assert length == minutes


def test_the_hour_that_clocks_repeat_is_two_hours() -> None:
    first = period_start_us(Period.HOUR, "Europe/Berlin", 1_792_888_200 * 10**6)  # 2026-10-25T00:30Z
    second = period_start_us(Period.HOUR, "Europe/Berlin", 1_792_891_800 * 10**6)
    assert second - first == 3_600 * 10**6


@pytest.mark.parametrize("seed", range(2))
async def test_through_the_pipeline_no_more_is_moved_than_allowed(seed: int) -> None:
    policy = policy_of("rules: [{name: a, then: allow, tools: pay, sum: {per: day, at_most: 100}}]")
    moved: list[int] = []

    async def world(call: Call) -> Outcome:
        await asyncio.sleep(0)
        assert call.arguments is not None
        moved.append(call.arguments["usd"])
        return echo(call)

    random = Random(seed)
    async with InMemoryPlane(policy=policy, tools=[PAY], clock=SystemClock()) as plane:
        plane.witnesses = [PolicyWitness(policy, plane.backend.database, lambda _: "general")]
        runs = [await plane.start_run() for _ in range(3)]
        through = plane.pipeline(world)
        made = [through(tool_call(random.choice(runs), PAY, {"usd": random.randint(1, 40)})) for _ in range(30)]
        results = await asyncio.gather(*made, return_exceptions=True)
    refused = [error for error in results if isinstance(error, AirsideError)]
    assert refused
    assert {error.code for error in refused} == {Code.POLICY_DENIED}
    assert 60 < sum(moved) <= 100
