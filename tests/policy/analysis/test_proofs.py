"""Proofs: what is proved no call breaks, what is found the rules really do, and all of it within its time."""

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airside.core.call import Effect
from airside.core.errors import AirsideError
from airside.core.policy import Verdict
from airside.core.tool import ArgumentRole, Tool
from airside.policy import RulePolicy, parse
from airside.policy.analysis.difference import Loosened, newly_allowed
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.findings import Kind, Names, check
from airside.policy.analysis.proofs import alone, holds

pytest.importorskip("z3")

REFUND = Tool(
    name="refund",
    description="",
    schema={},
    effect=Effect.WRITE,
    amount_argument="usd",
    roles={"to": ArgumentRole.RECIPIENT, "usd": ArgumentRole.AMOUNT},
)
NAMES = Names({"refund": REFUND}, frozenset({"refund", "send_mail"}), frozenset({"shop"}), frozenset({"default"}))


def found(text: str, names: Names = NAMES) -> dict[tuple[str, str], Any]:
    """Every finding by its kind and rule."""
    return {(finding.kind.value, finding.rule): finding for finding in check(parse(text), names)}


SMALL = """
rules:
  - {name: small, then: allow, tools: refund, amount: {at_most: 50}, origins: {critical: vouched}}
  - {name: large, then: ask, tools: refund, amount: {above: 50}}
never:
"""


@pytest.mark.parametrize(
    "never",
    [
        "tools: refund, amount: {above: 50}",
        "tools: refund, origins: {recipient: not_vouched}",
        'tools: "send_*"',
        "effects: execute",
        "tools: refund, reversible: true",  # the catalogue says that it is not
    ],
)
def test_a_never_rule_that_holds_is_proved(never: str) -> None:
    assert ("proved", "n") in found(SMALL + f"  - {{name: n, {never}}}")


@pytest.mark.parametrize(
    "never",
    [
        "tools: refund, amount: {above: 49.99}",
        "tools: refund, origins: {recipient: prompt}",
        'tools: "ref*"',
        "agents: shop",
        "plan: outside",
        'arguments: {note: {matches: "*secret*"}}',
        "taints: {any_of: untrusted}",
        "leaves: any",
        "confidence: {below: 0.5}",
        "risk: {above: 0.7}",
        "time: {days: [sat, sun]}",
        "callers: viewer",
        "stages: shadow",
        "named: false",
    ],
)
def test_a_never_rule_that_breaks_is_shown_by_a_call_that_the_rules_allow(never: str) -> None:
    text = SMALL + f"  - {{name: n, {never}}}"
    example = found(text)["violated", "n"].example
    policy = parse(text)
    assert example.decided(alone(policy), NAMES.tools).verdict is Verdict.ALLOW
    assert holds(policy.rules.never[0], example, NAMES.tools, policy.place)


def test_what_the_user_chose_is_told_from_what_is_only_genuine() -> None:
    text = """
rules:
  - {name: a, then: allow, tools: refund, origins: {critical: vouched}}
  - {name: b, then: ask, tools: refund, named: false}
never:
  - {name: unnamed, tools: refund, named: false}
  - {name: named, tools: refund, named: true}
"""
    said = found(text)
    assert ("proved", "unnamed") in said
    assert ("violated", "named") in said
    assert ("shadowed", "a") not in said


def test_sums_are_proved_too() -> None:
    text = """
rules:
  - {name: a, then: allow, tools: refund, sum: {per: day, at_most: 500}}
never:
  - {name: over, tools: refund, sum: {per: day, above: 500}}
  - {name: near, tools: refund, sum: {per: day, above: 499}}
"""
    assert ("proved", "over") in found(text)
    assert ("violated", "near") in found(text)


def test_rules_that_never_decide_are_found_with_those_that_beat_them() -> None:
    said = found("""
rules:
  - {name: a, then: allow, tools: refund, amount: {at_most: 50}}
  - {name: b, then: deny, tools: refund, amount: {at_most: 50}}
  - {name: c, then: allow, tools: send_mail, agents: shop}
  - {name: d, then: ask, tools: "send_*"}
  - {name: e, then: allow, tools: refund, arguments: {n: {one_of: [x], matches: y}}}
  - {name: f, then: allow, tools: refund, reversible: true, declared: true}
  - {name: g, then: deny, tools: refund, amount: {above: 900}, mode: observe}
  - {name: h, then: allow, tools: refnd}
  - {name: i, then: ask, tools: "r\\u0435fund"}
""")
    assert said["contradiction", "a"].text == "b says deny under the same conditions"
    assert "d (ask)" in said["shadowed", "c"].text
    assert ("unsatisfiable", "e") in said
    assert ("unsatisfiable", "f") in said
    assert ("observed", "g") in said
    assert "did you mean refund?" in said["unknown_name", "h"].text
    assert "looks like 'refund'" in said["look_alike", "i"].text
    assert not [kind for kind, rule in said if rule in {"b", "d"}]


def test_a_lower_layer_is_proved_together_with_those_above_it() -> None:
    lower = parse("rules: []\nnever: [{name: n, tools: refund, amount: {above: 50}}]")
    above = parse(SMALL.replace("never:", ""))
    kinds = {finding.kind for finding in check(lower, NAMES, [above])}
    assert kinds == {Kind.PROVED}


_CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.sampled_from([["refund"], ["re*"], ["*"], ["send_*", "refund"]]),
        "agents": st.sampled_from([["shop"], ["s*"]]),
        "effects": st.sampled_from([["read"], ["write", "execute"]]),
        "origins": st.sampled_from([{"critical": "vouched"}, {"recipient": "not_vouched"}, {"all": ["prompt"]}]),
        "plan": st.sampled_from(["inside", "outside"]),
        "confidence": st.sampled_from([{"at_least": 0.5}, {"below": 0.5}]),
        "risk": st.sampled_from([{"above": 0.7}, {"below": 0.5}]),
        "taints": st.sampled_from([{"any_of": "untrusted"}, {"none_of": "untrusted*"}]),
        "arguments": st.sampled_from(
            [
                {"to": {"matches": "a*"}},
                {"to": {"not": {"equals": "ab"}}},
                {"n": {"at_most": 5}},
                {"n": {"present": False}},
            ]
        ),
        "callers": st.sampled_from([["operator"], ["viewer", "admin"]]),
        "declared": st.booleans(),
        "named": st.booleans(),
    },
)  # fmt: skip
_RULES = st.lists(st.tuples(st.sampled_from(["allow", "allow", "ask", "deny"]), _CONDITIONS), max_size=5)


def _policy(rules: list[tuple[str, dict[str, Any]]], never: dict[str, Any] | None = None) -> RulePolicy:
    said = [{"name": f"r{number}", "then": then} | dict(rule) for number, (then, rule) in enumerate(rules)]
    return parse(json.dumps({"rules": said, "never": [{"name": "n"} | never] if never is not None else []}))


def _calls(seed: int, number: int = 150) -> list[WrittenCall]:
    chosen = random.Random(seed)
    made = []
    for _ in range(number):
        to, n = chosen.choice(["a", "ab", "b"]), chosen.choice([None, 5, 6, "x"])
        arguments = {"to": to} | ({} if n is None else {"n": n})
        made.append(
            WrittenCall.model_validate(
                {
                    "tool": chosen.choice(["refund", "send_mail", "return", "other"]),
                    "agent": chosen.choice(["shop", "stock", "x"]),
                    "arguments": arguments,
                    "effect": chosen.choice(["read", "write", "execute"]),
                    "declared": chosen.random() < 0.5,
                    "origins": {path: chosen.choice(["prompt", "untrusted", "owned", "trusted"]) for path in arguments},
                    "roles": {"to": "recipient"} if chosen.random() < 0.5 else {},
                    "plan": chosen.choice(["inside", "outside", "no_plan"]),
                    "taints": chosen.choice([[], ["untrusted"], ["untrusted:x"]]),
                    "confidence": chosen.choice([None, 0.1, 0.9]),
                    "risk": chosen.choice([0.0, 0.6, 0.9]),
                    "caller": chosen.choice([None, "operator", "viewer"]),
                }
            )
        )
    return made


@given(rules=_RULES, never=_CONDITIONS, seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_proved_no_call_breaks(rules: list[Any], never: dict[str, Any], seed: int) -> None:
    policy = _policy(rules, never)
    (finding, *_) = check(policy, Names())
    assert finding.kind in {Kind.PROVED, Kind.VIOLATED}, finding
    layered = alone(policy)
    broken = [
        call
        for call in _calls(seed)
        if call.decided(layered, {}).verdict is Verdict.ALLOW and holds(policy.rules.never[0], call, {}, policy.place)
    ]
    assert not (finding.kind is Kind.PROVED and broken), broken[:1]


@given(old=_RULES, new=_RULES, seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_change_that_allows_more_is_always_told(old: list[Any], new: list[Any], seed: int) -> None:
    before, after = _policy(old), _policy(new)
    told = newly_allowed(before, after, {})
    for difference in told:
        assert difference.kind is not Loosened.UNDECIDED
        assert difference.example is not None
        verdicts = [difference.example.decided(alone(policy), {}).verdict for policy in (before, after)]
        assert verdicts == [difference.before, difference.now]
    more = [
        call
        for call in _calls(seed)
        if call.decided(alone(after), {}).verdict is Verdict.ALLOW is not call.decided(alone(before), {}).verdict
    ]
    assert told or not more, more[:1]


def test_models_that_become_allowed_by_default_are_told() -> None:
    (difference,) = newly_allowed(parse("models: deny"), parse("models: allow"), {})
    assert difference.example is not None
    assert difference.example.model


def test_a_change_that_only_narrows_says_nothing() -> None:
    old = parse("rules: [{name: a, then: allow, tools: refund, amount: {at_most: 80}}]")
    new = parse("rules: [{name: a, then: allow, tools: refund, amount: {at_most: 50}}]")
    assert newly_allowed(old, new, NAMES.tools) == []
    (difference,) = newly_allowed(new, old, NAMES.tools)
    assert (difference.before, difference.now) == (Verdict.DENY, Verdict.ALLOW)


def _many(number: int) -> str:
    rules = []
    for n, then in zip(range(number), itertools.cycle(["allow", "ask", "deny"]), strict=False):
        amount = {"at_most" if n % 2 else "above": n + 1}
        rules.append({"name": f"r{n}", "then": then, "tools": [f"t{n}", f"u{n}_*"], "amount": amount})
    return json.dumps({"rules": rules, "never": [{"name": "n", "tools": ["t0"], "amount": {"at_most": 1}}]})


def test_ten_thousand_rules_are_decided_and_more_are_refused() -> None:
    call = WrittenCall(tool="t9999", arguments={"usd": 1}, amount_argument="usd")
    assert call.decided(alone(parse(_many(10_000))), {}).verdict is Verdict.ALLOW
    with pytest.raises(AirsideError, match="10000 items"):
        parse(_many(10_001))


def test_looking_at_many_rules_ends_in_time_and_says_what_was_not_looked_at() -> None:
    kinds = [finding.kind for finding in check(parse(_many(1_500)), Names(), budget_s=0.2)]
    assert kinds == [Kind.UNDECIDED, Kind.NOT_EXAMINED]
