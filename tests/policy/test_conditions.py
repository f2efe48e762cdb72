"""Every condition: when it holds, and that what cannot be told allows nothing and stops what it may stop."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airside.core.call import Effect
from airside.core.errors import AirsideError
from airside.core.policy import Origin, Verdict
from airside.core.tool import ArgumentRole, Tool
from airside.policy import RulePolicy, parse
from airside.policy.analysis.examples import WrittenCall
from airside.policy.decision import UNSAID
from airside.policy.layers import LayeredPolicy, Layers
from airside.policy.windows import Place

TOOL = Tool(
    name="pay",
    description="",
    schema={},
    effect=Effect.WRITE,
    amount_argument="usd",
    roles={"to": ArgumentRole.RECIPIENT, "text": ArgumentRole.CONTENT, "lines.*.sku": ArgumentRole.ID},
)
KNOWN = {"pay": TOOL}


def verdict(condition: dict[str, Any], call: dict[str, Any], then: str = "allow") -> Verdict:
    """The verdict of one rule with one condition; a rule that does not allow stands before one that allows all."""
    rules = [{"name": "one", "then": then} | condition]
    if then != "allow":
        rules.append({"name": "all", "then": "allow"})
    policy = parse(json.dumps({"rules": rules}))
    return WrittenCall.model_validate({"tool": "pay"} | call).decided(LayeredPolicy(Layers(policy)), KNOWN).verdict


HOLDS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # condition, a call that it holds of, a call that it does not hold of
    ({"tenants": "acme"}, {"tenant": "acme"}, {"tenant": "acm"}),
    ({"stages": ["alpha"]}, {"stage": "alpha"}, {"stage": "general"}),
    ({"callers": "operator"}, {"caller": "operator"}, {"caller": "viewer"}),
    ({"effects": "write"}, {}, {"effect": "read"}),
    ({"reversible": False}, {}, {"reversible": True}),
    ({"declared": False}, {}, {"declared": True}),
    ({"but_not": "send_*"}, {}, {"tool": "send_x"}),
    ({"plan": "inside"}, {"plan": "inside"}, {"plan": "outside"}),
    ({"confidence": {"at_least": 0.9}}, {"confidence": 0.9}, {"confidence": 0.89}),
    ({"confidence": {"at_least": 0.6, "below": 0.9}}, {"confidence": 0.6}, {"confidence": 0.9}),
    ({"confidence": {"above": 0.9}}, {"confidence": 0.9000000000000001}, {"confidence": 0.9}),
    ({"confidence": {"above": 0.6, "at_most": 0.9}}, {"confidence": 0.9}, {"confidence": 0.6}),
    ({"risk": {"above": 0.7}}, {"risk": 0.71}, {"risk": 0.7}),
    ({"risk": {"at_most": 0.7}}, {}, {"risk": 0.71}),
    ({"taints": {"any_of": "untrusted*"}}, {"taints": ["untrusted:inbox"]}, {"taints": ["secret"]}),
    ({"taints": {"none_of": "secret*"}}, {"taints": ["untrusted"]}, {"taints": ["secret stripe"]}),
    ({"leaves": "none"}, {}, {"leaves": ["to: secret x"]}),
    ({"leaves": "any"}, {"leaves": ["to: secret x"]}, {}),
    ({"leaves": "*: secret *"}, {"leaves": ["to: secret x"]}, {"leaves": ["to: unknown link"]}),
    (
        {"origins": {"recipient": "vouched"}},
        {"arguments": {"to": "x"}, "origins": {"to": "owned"}},
        {"arguments": {"to": "x"}, "origins": {"to": "untrusted"}},
    ),
    ({"arguments": {"to": {"origin": "prompt"}}}, {"arguments": {"to": "x"}}, {"arguments": {"cc": "x"}}),
    ({"arguments": {"n": {"equals": 5}}}, {"arguments": {"n": 5.0}}, {"arguments": {"n": 6}}),
    ({"arguments": {"n": {"equals": True}}}, {"arguments": {"n": True}}, {"arguments": {"n": 1}}),
    ({"arguments": {"n": {"one_of": ["a", "b"]}}}, {"arguments": {"n": "b"}}, {"arguments": {"n": "c"}}),
    ({"arguments": {"n": {"matches": "*@acme.com"}}}, {"arguments": {"n": "a@acme.com"}}, {"arguments": {"n": "a@b"}}),
    ({"arguments": {"n": {"at_most": 0.3}}}, {"arguments": {"n": 0.3}}, {"arguments": {"n": 0.30000000000000004}}),
    ({"arguments": {"n": {"above": 0}}}, {"arguments": {"n": 1}}, {"arguments": {"n": 0}}),
    ({"arguments": {"n": {"length_max": 3}}}, {"arguments": {"n": "abc"}}, {"arguments": {"n": "abcd"}}),
    ({"arguments": {"n": {"length_max": 1}}}, {"arguments": {"n": [1]}}, {"arguments": {"n": [1, 2]}}),
    ({"arguments": {"n": {"under_path": "/data"}}}, {"arguments": {"n": "/data/x"}}, {"arguments": {"n": "/database"}}),
    ({"arguments": {"n": {"under_path": "/data"}}}, {"arguments": {"n": "/data"}}, {"arguments": {"n": "/data/../e"}}),
    (
        {"arguments": {"n": {"host_in": ["acme.com", "*.acme.com"]}}},
        {"arguments": {"n": "https://api.ACME.com:8443/x"}},
        {"arguments": {"n": "https://acme.com.evil.org/"}},
    ),
    ({"arguments": {"n": {"present": False}}}, {"arguments": {}}, {"arguments": {"n": None}}),
    ({"arguments": {"n": {"not": {"matches": "a*"}}}}, {"arguments": {"n": "b"}}, {"arguments": {"n": "a"}}),
    (
        {"arguments": {"lines.*.sku": {"matches": "A-*"}}},
        {"arguments": {"lines": [{"sku": "A-1"}]}},
        {"arguments": {"lines": [{"sku": "B-1"}]}},
    ),
    (
        {"sum": {"per": "day", "at_most": 100}},
        {"arguments": {"usd": 10}, "moved_usd": 90},
        {"arguments": {"usd": 10}, "moved_usd": 91},
    ),
    ({"count": {"per": "hour", "at_most": 3}}, {"calls_before": 2}, {"calls_before": 3}),
    ({"time": {"hours": "09:00-17:00"}}, {"at": "2026-01-05T09:00:00Z"}, {"at": "2026-01-05T17:00:00Z"}),
    ({"time": {"hours": "22:00-06:00"}}, {"at": "2026-01-05T05:59:00Z"}, {"at": "2026-01-05T06:00:00Z"}),
    ({"time": {"days": ["sat"]}}, {"at": "2026-01-10T00:00:00Z"}, {"at": "2026-01-09T23:59:59Z"}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "inside", "outside"), HOLDS, ids=[json.dumps(case[0])[:60] for case in HOLDS])
def test_a_condition_holds_inside_and_not_outside(
    condition: dict[str, Any], inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert verdict(condition, inside) is Verdict.ALLOW
    assert verdict(condition, outside) is Verdict.DENY
    if "sum" in condition or "count" in condition:
        return  # what denies says `above`
    assert verdict(condition, inside, "deny") is Verdict.DENY
    assert verdict(condition, outside, "deny") is Verdict.ALLOW


UNTOLD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"stages": ["general"]}, {}),
    ({"callers": "operator"}, {}),
    ({"confidence": {"below": 0.5}}, {}),
    ({"arguments": {"n": {"at_most": 5}}}, {"arguments": {"n": "five"}}),
    ({"arguments": {"n": {"at_least": 5}}}, {"arguments": {"n": [{}]}}),
    ({"arguments": {"n": {"matches": "a*"}}}, {"arguments": {"n": 5}}),
    ({"arguments": {"n": {"matches": "admin"}}}, {"arguments": {"n": "\u0430dmin"}}),
    ({"arguments": {"n": {"matches": "admin"}}}, {"arguments": {"n": "ad\u200bmin"}}),
    ({"arguments": {"n": {"equals": "admin"}}}, {"arguments": {"n": "ＡＤＭＩＮ"}}),
    ({"arguments": {"n": {"equals": 5}}}, {"arguments": {"n": "5"}}),
    ({"arguments": {"n": {"under_path": "/data"}}}, {"arguments": {"n": "/data/%2e%2e/etc"}}),
    ({"arguments": {"n": {"under_path": "/data"}}}, {"arguments": {"n": "data/x"}}),
    ({"arguments": {"n": {"host_in": "acme.com"}}}, {"arguments": {"n": "https://acme.com\\@evil.org/"}}),
    ({"arguments": {"n": {"host_in": "acme.com"}}}, {"arguments": {"n": "https://x@acme.com/"}}),
    ({"arguments": {"n": {"host_in": "acme.com"}}}, {"arguments": {"n": "acme.com/x"}}),
    ({"arguments": {"n": {"not": {"matches": "admin"}}}}, {"arguments": {"n": "Admin"}}),
    ({"tools": "p\u0430y"}, {}),
]


@pytest.mark.parametrize(("condition", "call"), UNTOLD, ids=[json.dumps(case)[:70] for case in UNTOLD])
def test_what_cannot_be_told_allows_nothing_and_stops_what_it_may(
    condition: dict[str, Any], call: dict[str, Any]
) -> None:
    assert verdict(condition, call) is Verdict.DENY
    assert verdict(condition, call, "deny") is Verdict.DENY
    assert verdict(condition, call, "ask") is Verdict.ASK


def test_each_value_must_fit_to_be_allowed_and_one_is_enough_to_stop() -> None:
    mixed = {"arguments": {"n": ["a", "b"]}}
    assert verdict({"arguments": {"n": {"equals": "a"}}}, mixed) is Verdict.DENY
    assert verdict({"arguments": {"n": {"equals": "a"}}}, mixed, "deny") is Verdict.DENY
    assert verdict({"arguments": {"n": {"equals": "a"}}}, {"arguments": {"n": []}}) is Verdict.DENY


def test_an_argument_that_no_witness_speaks_of_is_of_unknown_origin() -> None:
    policy = parse("{rules: [{name: a, then: allow, origins: {critical: vouched}}]}")
    call, tool = WrittenCall(tool="pay", arguments={"to": "x", "text": "y"}).asked(KNOWN)
    assert tool is not None
    assert policy.decide(call, tool).verdict is Verdict.ALLOW
    less = replace(call, facts=replace(call.facts, links=tuple(k for k in call.facts.links if k.argument != "to")))
    assert policy.decide(less, tool).verdict is Verdict.DENY
    without = replace(call, facts=replace(call.facts, links=tuple(k for k in call.facts.links if k.argument != "text")))
    assert policy.decide(without, tool).verdict is Verdict.ALLOW  # content decides nothing


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-03-29T00:59:00Z", True),  # 01:59 in Berlin, just before the clocks go forward
        ("2026-03-29T01:00:00Z", False),  # 03:00
        ("2026-10-25T00:30:00Z", False),  # 02:30, the first time
        ("2026-10-25T01:30:00Z", False),  # 02:30, the second time
    ],
)
def test_hours_follow_the_clocks_when_they_change(at: str, inside: bool) -> None:
    condition = {"time": {"hours": "01:00-02:00", "zone": "Europe/Berlin"}}
    assert (verdict(condition, {"at": at}) is Verdict.ALLOW) is inside


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("arguments: {n: {}}", "operator"),
        ("arguments: {n: {at_most: 1, at_least: 2}}", "no number"),
        ("arguments: {n: {matches: []}}", "arguments.n.matches"),
        ("arguments: {n: {regex: x}}", "not known"),
        ("arguments: {n: {at_most: .inf}}", "at_most"),
        ("sum: {per: week, at_most: 1}", "per"),
        ("sum: {per: day}", "at_most"),
        ("sum: {per: day, above: 1}", "at_most"),
        ("count: {per: day, at_most: 1.5}", "at_most"),
        ("sum: {per: day, at_most: 1, by: customer}", "by"),
        ("origins: {boss: vouched}", "origins"),
        ("origins: {critical: good}", "origins"),
        ("confidence: {at_least: 2}", "at_least"),
        ("confidence: {above: 0.9, below: 0.9}", "less than"),
        ("risk: {above: 7}", "above"),
        ("confidence: {above: 0.9, at_least: 0.9}", "one lower limit"),
        ("time: {hours: 9-17}", "09:00-17:30"),
        ("time: {zone: Mars/Olympus}", "hours"),
        ("time: {days: [mon], zone: Mars/Olympus}", "time zone"),
        ('tools: ["pay\u200b"]', "cannot be seen"),
        ("approvals: 2", "ask"),
        ("escalate: true", "ask"),
        ("stages: [production]", "stages"),
        ("leaves: []", "leaves"),
    ],
)
def test_bad_conditions_are_refused_with_line_and_key(rule: str, said: str) -> None:
    with pytest.raises(AirsideError) as caught:
        parse(f"rules:\n  - name: a\n    then: allow\n    {rule}\n", "p.yaml")
    assert caught.value.message.startswith("p.yaml:"), caught.value.message
    assert said in caught.value.message


_RULES = st.lists(
    st.fixed_dictionaries(
        {"then": st.sampled_from(["allow", "ask", "deny"])},
        optional={
            "effects": st.just("write"),
            "stages": st.just(["general"]),
            "callers": st.just(["operator"]),
            "confidence": st.sampled_from([{"at_least": 0.5}, {"below": 0.5}]),
            "risk": st.sampled_from([{"above": 0.7}, {"below": 0.5}]),
            "plan": st.sampled_from(["inside", "outside"]),
            "origins": st.sampled_from([{"critical": "vouched"}, {"all": "not_vouched"}, {"recipient": ["untrusted"]}]),
            "taints": st.sampled_from([{"any_of": "untrusted"}, {"none_of": "untrusted"}]),
            "leaves": st.sampled_from(["any", "none"]),
            "amount": st.sampled_from([{"above": 10}, {"at_most": 10}]),
            "arguments": st.sampled_from([{"to": {"matches": "a*"}}, {"to": {"not": {"matches": "a*"}}}]),
        },
    ),
    max_size=5,
)
_CALLS = st.fixed_dictionaries(
    {
        "arguments": st.fixed_dictionaries(
            {"to": st.sampled_from(["a", "b", "\u0430"]), "usd": st.sampled_from([5, 50, "x"])}
        )
    },
    optional={
        "stage": st.sampled_from(["general", "alpha"]),
        "caller": st.sampled_from(["operator", "viewer"]),
        "confidence": st.sampled_from([0.1, 0.9]),
        "risk": st.sampled_from([0.1, 0.9]),
        "plan": st.sampled_from(["inside", "outside"]),
        "origins": st.sampled_from([{"to": Origin.UNTRUSTED}, {"usd": Origin.OWNED}]),
        "taints": st.just(["untrusted"]),
        "leaves": st.just(["to: secret x"]),
    },
)  # fmt: skip
_STRICTNESS = (Verdict.ALLOW, Verdict.ASK, Verdict.DENY)


@given(rules=_RULES, call=_CALLS, lost=st.sampled_from(["stage", "caller", "confidence"]))
@settings(max_examples=150, deadline=None)
def test_losing_a_fact_lets_nothing_through(rules: list[dict[str, Any]], call: dict[str, Any], lost: str) -> None:
    """What a rule denied stays denied, nothing is allowed that was not; what no rule spoke of may be asked about."""
    policy = LayeredPolicy(Layers(_named(rules)))
    full = WrittenCall.model_validate({"tool": "pay"} | call)
    less = full.model_copy(update={lost: None})
    before, after = (one.decided(policy, KNOWN) for one in (full, less))
    unsaid = before.reasons[0].rule == UNSAID
    least = Verdict.ASK if unsaid else before.verdict
    assert _STRICTNESS.index(after.verdict) >= _STRICTNESS.index(least)


@given(rules=_RULES, more=_RULES, call=_CALLS, otherwise=st.sampled_from(["leave", "deny"]))
@settings(max_examples=150, deadline=None)
def test_a_lower_layer_only_narrows(
    rules: list[dict[str, Any]], more: list[dict[str, Any]], call: dict[str, Any], otherwise: str
) -> None:
    platform = _named(rules)
    lower = parse(_text(more, otherwise), "lower", Place("tenant default"))
    written = WrittenCall.model_validate({"tool": "pay"} | call)
    alone = written.decided(LayeredPolicy(Layers(platform)), KNOWN)
    both = written.decided(LayeredPolicy(Layers(platform, tenants={"default": lower})), KNOWN)
    assert _STRICTNESS.index(both.verdict) >= _STRICTNESS.index(alone.verdict)
    assert alone.policy_version in both.policy_version
    assert lower.version in both.policy_version
    stops = [rule["then"] for rule in more if len(rule) == 2 and rule["then"] != "allow"]
    if "deny" in stops:
        assert both.verdict is Verdict.DENY
    other = written.model_copy(update={"tenant": "somebody-else"})
    assert other.decided(LayeredPolicy(Layers(platform, tenants={"default": lower})), KNOWN).verdict is (
        other.decided(LayeredPolicy(Layers(platform)), KNOWN).verdict
    )


def _named(rules: list[dict[str, Any]]) -> RulePolicy:
    return parse(_text(rules))


def _text(rules: list[dict[str, Any]], otherwise: str = "") -> str:
    for number, rule in enumerate(rules):
        rule["name"] = f"r{number}"
    return json.dumps({"rules": rules} | ({"otherwise": otherwise} if otherwise else {}))


def test_observed_rules_and_files_stop_nothing_and_say_so() -> None:
    call = WrittenCall(tool="pay", at=datetime.fromisoformat("2026-01-05T12:00:00Z"))
    one = parse("rules: [{name: a, then: allow}, {name: b, then: deny, mode: observe, because: trying}]")
    decision = call.decided(LayeredPolicy(Layers(one)), KNOWN)
    assert decision.verdict is Verdict.ALLOW
    assert [(r.rule, r.verdict) for r in decision.reasons] == [("a", Verdict.ALLOW), ("b", Verdict.DENY)]
    assert "only observed" in decision.reasons[1].because
    assert LayeredPolicy(Layers(one)).observed() == ["platform rule b"]
    whole = LayeredPolicy(Layers(parse("mode: observe\nrules: []")))
    assert call.decided(whole, KNOWN).verdict is Verdict.ALLOW
    assert "only observed" in call.decided(whole, KNOWN).reasons[0].because
    assert whole.decide(*WrittenCall(tool="x").asked({})).verdict is Verdict.ALLOW
    call_of_none, _ = WrittenCall(tool="gone").asked({})
    assert whole.decide(call_of_none, None).verdict is Verdict.DENY
    allowing = parse("rules: [{name: a, then: allow, mode: observe}]")
    assert call.decided(LayeredPolicy(Layers(allowing)), KNOWN).verdict is Verdict.DENY
