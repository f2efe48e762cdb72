"""Verdicts: deny beats ask beats allow, nothing said is deny, and what cannot be read counts as too much."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.call import Call, CallKind, Effect
from airside.core.policy import Verdict
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy import RulePolicy, load, parse

REFUND = Tool(name="refund", description="", schema={}, effect=Effect.WRITE, amount_argument="amount")
CENTS = Tool(name="pay", description="", schema={}, effect=Effect.WRITE, amount_argument="sum", amount_unit="cents")
LOOK = Tool(name="look", description="", schema={}, effect=Effect.READ)
LIMITED = """
rules:
  - {name: small, then: allow, tools: [refund, pay], amount: {at_most: 50}}
  - {name: large, then: ask, tools: [refund, pay], amount: {above: 50}, because: a person must see it}
  - {name: never, then: deny, tools: [refund, pay], amount: {above: 1000.50}}
"""


def call(tool: Tool | None, arguments: dict[str, Any] | None = None, **changes: Any) -> Call:
    identity = Identity(
        tenant_id="t",
        run_id="r",
        attempt=1,
        agent=changes.pop("agent", "shop"),
        release="rel",
        subject="s",
        budget_path=(),
        supervised=True,
        deadline_us=0,
    )
    known: dict[str, Any] = {
        "call_id": "c",
        "kind": CallKind.TOOL,
        "name": tool.name if tool else "x",
        "token": "",
        "parts": (),
        "effect": tool.effect if tool else Effect.READ,
        "idempotent": False,
        "timeout_s": 1.0,
        "identity": identity,
        "arguments": arguments,
    }
    return Call(**(known | changes))


def verdict(policy: RulePolicy, tool: Tool, **arguments: Any) -> Verdict:
    return policy.decide(call(tool, arguments), tool).verdict


def test_without_a_file_tools_are_denied_and_models_allowed() -> None:
    policy = load(None)
    decision = policy.decide(call(LOOK), LOOK)
    assert decision.verdict is Verdict.DENY
    assert decision.reasons[0].rule == "default"
    model = call(None, kind=CallKind.MODEL, name="gpt")
    assert policy.decide(model, None).verdict is Verdict.ALLOW


def test_models_are_ruled_by_their_own_rules_only() -> None:
    policy = parse("""
models: deny
rules:
  - {name: every-tool, then: allow}
  - {name: cheap, then: allow, models: ["small-*"], agents: [shop]}
  - {name: not-that, then: deny, models: [small-evil]}
""")

    def of(name: str, **changes: Any) -> Verdict:
        return policy.decide(call(None, kind=CallKind.MODEL, name=name, **changes), None).verdict

    assert of("small-1") is Verdict.ALLOW
    assert of("small-1", agent="other") is Verdict.DENY
    assert of("small-evil") is Verdict.DENY
    assert of("large") is Verdict.DENY
    assert verdict(policy, LOOK) is Verdict.ALLOW


def test_an_unknown_tool_is_denied_whatever_the_rules_say() -> None:
    policy = parse("rules: [{name: all, then: allow}]")
    decision = policy.decide(call(None), None)
    assert decision.verdict is Verdict.DENY
    assert decision.reasons[0].rule == "unknown-tool"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_deny_beats_ask_beats_allow_in_any_order(order: tuple[int, ...]) -> None:
    rules = [{"name": "a", "then": "allow"}, {"name": "b", "then": "ask"}, {"name": "c", "then": "deny"}]
    everything = parse(json.dumps({"rules": [rules[i] for i in order]}))
    assert [reason.rule for reason in everything.decide(call(LOOK), LOOK).reasons] == ["c"]
    asking = parse(json.dumps({"rules": [rules[i] for i in order if i != 2]}))
    assert verdict(asking, LOOK) is Verdict.ASK


def test_conditions_must_all_hold() -> None:
    policy = parse("rules: [{name: a, then: allow, tools: ['lo*'], effects: [read], agents: ['sh?p']}]")
    assert verdict(policy, LOOK) is Verdict.ALLOW
    assert verdict(policy, Tool(name="lo", description="", schema={}, effect=Effect.WRITE)) is Verdict.DENY
    assert policy.decide(call(LOOK, agent="shoop"), LOOK).verdict is Verdict.DENY


def test_a_pattern_is_not_a_regular_expression() -> None:
    policy = parse("rules: [{name: a, then: allow, tools: ['a.c', 'x[12]', 'b+*']}]")
    for name, expected in (
        ("a.c", True),
        ("abc", False),
        ("x1", False),
        ("x[12]", True),
        ("b+d", True),
        ("bbd", False),
    ):
        allowed = verdict(policy, Tool(name=name, description="", schema={})) is Verdict.ALLOW
        assert allowed is expected, name


def test_stars_in_a_row_do_not_make_matching_slow() -> None:
    policy = parse(json.dumps({"rules": [{"name": "a", "then": "allow", "tools": ["*" * 150 + "z"]}]}))
    start = time.monotonic()
    assert verdict(policy, Tool(name="y" * 5_000, description="", schema={})) is Verdict.DENY
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, Verdict.ALLOW),
        (50, Verdict.ALLOW),
        (50.0, Verdict.ALLOW),
        ("50", Verdict.ALLOW),
        ("50.00", Verdict.ALLOW),
        (50.01, Verdict.ASK),
        ("50.000000000000000000001", Verdict.ASK),
        (1000.5, Verdict.ASK),
        (1000.51, Verdict.DENY),
        (10**40, Verdict.DENY),
    ],
)
def test_amounts_are_compared_exactly(amount: object, expected: Verdict) -> None:
    assert verdict(parse(LIMITED), REFUND, amount=amount) is expected


@pytest.mark.parametrize(
    "amount",
    [
        None, True, -1, -0.01, "-1", "1e1", " 5", "5 ", "5,0", "٥", "0x5", "", "five", [], {}, [5], {"value": 5},
        float("nan"), float("inf"), float("-inf"), Decimal("NaN"), "1_0", "+5", "5.", ".5",
    ],
)  # fmt: skip
def test_an_amount_that_cannot_be_told_counts_as_above_every_limit(amount: object) -> None:
    decision = parse(LIMITED).decide(call(REFUND, {"amount": amount}), REFUND)
    assert decision.verdict is Verdict.DENY
    assert "amount" in decision.reasons[0].because


def test_a_missing_amount_or_undeclared_argument_counts_as_above_every_limit() -> None:
    policy = parse(LIMITED)
    undeclared = Tool(name="refund", description="", schema={})
    odd = Tool(name="refund", description="", schema={}, amount_argument="amount", amount_unit="euro")
    for tool, arguments in ((REFUND, {}), (REFUND, None), (undeclared, {"amount": 1}), (odd, {"amount": 1})):
        assert policy.decide(call(tool, arguments), tool).verdict is Verdict.DENY


def test_no_allowing_rule_holds_for_an_unknown_amount() -> None:
    policy = parse("rules: [{name: odd, then: allow, amount: {above: 5}}]")
    assert verdict(policy, REFUND, amount=6) is Verdict.ALLOW
    assert verdict(policy, REFUND, amount="6e0") is Verdict.DENY


def test_cents_are_a_hundredth() -> None:
    policy = parse(LIMITED)
    assert verdict(policy, CENTS, sum=5_000) is Verdict.ALLOW
    assert verdict(policy, CENTS, sum=5_001) is Verdict.ASK


@given(
    verdicts=st.lists(st.sampled_from(["deny", "ask", "allow"]), max_size=6),
    limits=st.lists(st.integers(0, 100), min_size=6, max_size=6),
    amount=st.one_of(st.integers(-5, 105), st.floats(allow_nan=True), st.text(max_size=4), st.none()),
)
def test_no_reordering_or_repetition_of_rules_changes_a_verdict(
    verdicts: list[str], limits: list[int], amount: object
) -> None:
    rules = [
        {"name": f"r{i}", "then": then, "amount": {"above" if i % 2 else "at_most": limits[i]}}
        for i, then in enumerate(verdicts)
    ]
    forward, backward = (parse(json.dumps({"rules": ordered})) for ordered in (rules, rules[::-1]))
    here = forward.decide(call(REFUND, {"amount": amount}), REFUND)
    assert here.verdict is backward.decide(call(REFUND, {"amount": amount}), REFUND).verdict
    if not any(reason.verdict is Verdict.ALLOW for reason in here.reasons):
        assert here.verdict is not Verdict.ALLOW


def test_two_hundred_rules_decide_in_microseconds() -> None:
    rules = [
        {"name": f"r{i}", "then": ("allow", "ask", "deny")[i % 3], "tools": [f"tool{i}*", "x*"], "amount": {"above": i}}
        for i in range(200)
    ]
    policy = parse(json.dumps({"rules": rules}))
    calls = [call(REFUND, {"amount": n}) for n in range(200)]
    for one in calls:
        policy.decide(one, REFUND)
    best = min(_seconds(policy, calls) for _ in range(5))
    assert best / len(calls) < 100e-6


def _seconds(policy: RulePolicy, calls: list[Call]) -> float:
    start = time.process_time()
    for one in calls:
        policy.decide(one, REFUND)
    return time.process_time() - start
