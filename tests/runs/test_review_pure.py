"""What the review queue decides without a database: risk, bands, calibration, chain, statistics, reasoning."""

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.config.approvals import EscalationStep, TwoPerson
from airside.core.call import Effect
from airside.core.policy import Decision, Link, Origin, Reason, Verdict
from airside.core.run import Role
from airside.core.tool import ArgumentRole
from airside.runs.reviewing import chain, isotonic
from airside.runs.reviewing.agreement import required
from airside.runs.reviewing.chain import Person, admits, begin
from airside.runs.reviewing.confidence import Band, band
from airside.runs.reviewing.isotonic import Sample, fit, reliability
from airside.runs.reviewing.reasoning import reasoning
from airside.runs.reviewing.risk import POINT_US, factors, rank_us
from airside.runs.reviewing.statistics import Item, fold


@pytest.mark.parametrize(
    ("confidence", "default", "finance"),
    [
        (None, Band.UNKNOWN, Band.UNKNOWN),
        (0.0, Band.ESCALATE, Band.ESCALATE),
        (0.5999999999999999, Band.ESCALATE, Band.ESCALATE),
        (0.6, Band.REVIEW, Band.ESCALATE),
        (0.7999999999999999, Band.REVIEW, Band.ESCALATE),
        (0.8, Band.REVIEW, Band.REVIEW),
        (0.9, Band.REVIEW, Band.REVIEW),
        (0.9000000000000001, Band.EXECUTE, Band.EXECUTE),
        (1.0, Band.EXECUTE, Band.EXECUTE),
    ],
)
def test_bands_have_exact_boundaries(confidence: float | None, default: Band, finance: Band) -> None:
    assert band(confidence) is default
    assert band(confidence, "finance") is finance


def test_too_few_samples_say_nothing() -> None:
    samples = [Sample(0.95, True)] * 49
    assert fit(samples, samples_min=50) is None
    assert fit([*samples, Sample(0.95, True)], samples_min=50) is not None


def test_a_few_lucky_ones_do_not_unlock_automation() -> None:
    samples = [Sample(0.7, n % 2 == 0) for n in range(60)] + [Sample(0.99, True)] * 9
    curve = fit(samples, samples_min=50)
    assert curve is not None
    assert curve.at(0.99) < 0.9
    more = fit(samples + [Sample(0.99, True)] * 30, samples_min=50)
    assert more is not None
    assert more.at(0.99) > 0.9
    assert more.at(0.7) == pytest.approx(31 / 62)
    assert more.at(0.98) == more.at(0.7)  # between two blocks the lower one counts
    assert more.at(0.5) == 0.0  # nobody knows about less than was ever seen


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=10, max_size=80), st.floats(0, 1), st.floats(0, 1))
def test_a_curve_never_falls_and_stays_within_its_bounds(
    said: list[tuple[float, bool]], one: float, two: float
) -> None:
    curve = fit([Sample(*sample) for sample in said], samples_min=10)
    assert curve is not None
    low, high = sorted((one, two))
    assert 0 <= curve.at(low) <= curve.at(high) < 1
    assert sum(block.count for block in curve.blocks) == len(said)
    assert all(block.count >= isotonic.BLOCK_MIN for block in curve.blocks)


def test_an_overconfident_agent_is_worth_what_its_decisions_say() -> None:
    rng = random.Random(1)
    samples = [Sample(said, rng.random() < said - 0.3) for said in (rng.uniform(0.5, 1) for _ in range(3_000))]
    curve = fit(samples, samples_min=50)
    assert curve is not None
    assert max(curve.at(said / 100) for said in range(50, 101)) < 0.9
    before = reliability(samples)
    after = reliability([Sample(curve.at(sample.said), sample.good) for sample in samples])
    assert before["ece"] == pytest.approx(0.3, abs=0.03)
    assert after["ece"] < 0.03
    assert after["brier"] < before["brier"]
    assert [row["samples"] for row in before["bins"]][:5] == [0] * 5
    assert reliability([]) == {"bins": reliability([])["bins"], "brier": None, "ece": None}


def link(origin: Origin, role: str = "recipient") -> Link:
    return Link("to", role, origin)


def test_risk_is_what_can_go_wrong() -> None:
    least = factors(Effect.READ, reversible=True, amount=None)
    assert least == {}
    assert factors(Effect.READ, reversible=False, amount=None) == {}
    worst = factors(
        Effect.EXECUTE,
        reversible=False,
        amount=Decimal("Infinity"),
        links=(link(Origin.UNTRUSTED), link(Origin.UNKNOWN, ""), link(Origin.PROMPT)),
        leaves=("to: unknown link",),
        unsure=True,
    )
    assert worst == {"effect": 30, "irreversible": 20, "amount": 40, "untrusted": 30, "leaves": 40, "unsure": 15}
    content = factors(Effect.WRITE, reversible=True, amount=None, links=(link(Origin.UNTRUSTED, ArgumentRole.CONTENT),))
    assert content == {"effect": 20}
    sums = [sum(factors(Effect.WRITE, reversible=True, amount=Decimal(n)).values()) for n in (10, 11, 101, 10_001)]
    assert sums == [20, 30, 40, 60]


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 10**12))
def test_what_waits_long_enough_overtakes_what_is_riskier(risk: int, other: int, at_us: int) -> None:
    later_us = at_us + (other - risk + 1) * POINT_US
    if other >= risk:
        assert rank_us(at_us, risk) < rank_us(later_us, other)
        assert rank_us(at_us, other) <= rank_us(at_us, risk)


CHAIN = [
    EscalationStep(reviewers=["ann"]),
    EscalationStep(after_s=60, reviewers=["bob"], role="operator"),
    EscalationStep(after_s=120, role="admin"),
]


def test_an_approval_begins_at_the_first_step_or_past_it() -> None:
    assert begin(CHAIN, 0, escalated=False) == chain.Place(1, 0, 60_000_000)
    assert begin(CHAIN, 0, escalated=True) == chain.Place(2, 1, 120_000_000)
    assert begin([], 0, escalated=True) == chain.Place(0, 0, None)
    assert begin(CHAIN[:1], 0, escalated=True) == chain.Place(1, 0, None)


@pytest.mark.parametrize(
    ("step", "floor", "person", "admitted"),
    [
        (1, 0, Person("ann"), True),
        (1, 0, Person("chef", role=Role.ADMIN), False),
        (2, 0, Person("ann"), True),
        (2, 0, Person("bob"), False),  # a name that counts, a role that does not suffice
        (2, 0, Person("bob", role=Role.OPERATOR), True),
        (2, 1, Person("ann"), False),  # escalated at once: the first group does not decide
        (3, 1, Person("chef", role=Role.ADMIN), True),
        (0, 0, Person("anybody"), True),
        (0, 0, Person("nobody", role=Role.VIEWER), False),
        (9, 8, Person("anybody"), True),  # the chain has become shorter meanwhile
    ],
)
def test_who_may_decide(step: int, floor: int, person: Person, admitted: bool) -> None:
    assert admits(CHAIN, step, floor, person) is admitted


def test_the_most_that_any_rule_or_setting_wants_is_required() -> None:
    asks = Decision(Verdict.ASK, (Reason("a", Verdict.ASK, ""), Reason("b", Verdict.ASK, "", approvals=3)), "p")
    plain = Decision(Verdict.ASK, (Reason("a", Verdict.ASK, ""),), "p")
    large = [TwoPerson(tools=["pay*"], above_usd=Decimal(500))]
    assert required(asks, [], agent="x", tool="pay", amount=None) == 3
    assert required(plain, large, agent="x", tool="pay", amount=Decimal(500)) == 1
    assert required(plain, large, agent="x", tool="pay", amount=Decimal("500.01")) == 2
    assert required(plain, large, agent="x", tool="pay", amount=Decimal("Infinity")) == 2
    assert required(plain, large, agent="x", tool="mail", amount=Decimal(900)) == 1
    assert required(plain, [TwoPerson()], agent="x", tool="mail", amount=None) == 2


def test_statistics_keep_known_bad_proposals_apart() -> None:
    items = [
        Item("pay", "shop", "ann", "approved", False, False, 2_000_000),
        Item("pay", "shop", "ann", "denied", False, False, 4_000_000),
        Item("mail", "shop", "", "pending", False, False, 0),
        Item("mail", "shop", "", "expired", False, False, 9_000_000),
        Item("pay", "shop", "ann", "approved", False, True, 1),
        Item("pay", "shop", "ann", "approved", True, True, 1),
        Item("pay", "shop", "bob", "denied", False, True, 1),
        Item("pay", "shop", "", "pending", False, True, 1),
    ]
    found = fold(items)
    assert (found["all"]["asked"], found["all"]["pending"], found["all"]["expired"]) == (4, 1, 1)
    (mail, pay) = found["by_tool"]
    assert (mail["rejection_rate"], pay["rejection_rate"], pay["decide_s_p90"]) == (None, 0.5, 4.0)
    assert [row["name"] for row in found["by_reviewer"]] == ["ann"]
    assert found["seeded"] == [
        {"reviewer": "ann", "shown": 2, "caught": 1, "catch_rate": 0.5},
        {"reviewer": "bob", "shown": 1, "caught": 1, "catch_rate": 1.0},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"message": {"content": "words", "reasoning_content": "thoughts", "tool_calls": [{}]}}]},
        {
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thoughts"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "words"}]},
                {"type": "function_call", "name": "pay"},
            ]
        },
        {
            "content": [
                {"type": "thinking", "thinking": "thoughts"},
                {"type": "text", "text": "words"},
                {"type": "tool_use"},
            ]
        },
        {
            "candidates": [
                {"content": {"parts": [{"text": "thoughts", "thought": True}, {"text": "words"}, {"functionCall": {}}]}}
            ]
        },
    ],
)
def test_words_and_thoughts_are_found_in_every_format(answer: dict) -> None:  # type: ignore[type-arg]
    assert reasoning(json.dumps(answer).encode()) == "thoughts\nwords"


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b'{"choices":[]}', b'{"content":[3]}', b'{"output":null}'])
def test_what_cannot_be_read_has_no_reasoning(answer: bytes) -> None:
    assert reasoning(answer) == ""
