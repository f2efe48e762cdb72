"""From findings to what follows: whose rule counts, and what the text becomes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.config.guards import GuardSettings
from airside.guards.finding import Finding, Guard, Mode, Place
from airside.guards.verdict import Judged, Modes, Where, label, rewritten, strongest


def finding(start: int = 0, end: int = 4, **changes: Any) -> Finding:
    known = {"guard": Guard.PERSONAL, "rule": "email", "kind": "EMAIL", "start": start, "end": end, "score": 0.9}
    return Finding(**(known | changes))


def mode(one: Finding, where: Where | None = None, **settings: Any) -> Mode:
    judged = Modes(GuardSettings(**settings)).judge([one], where or Where("shop", "general", Place.USER))
    return judged[0].mode if judged else Mode.OFF


def test_the_first_rule_that_fits_in_everything_decides() -> None:
    rules = [
        {"kinds": ["PHONE"], "mode": "block"},
        {"agents": ["other"], "mode": "block"},
        {"stages": ["shadow"], "mode": "block"},
        {"places": ["answer"], "mode": "block"},
        {"guards": ["secrets"], "mode": "block"},
        {"score_min": 0.95, "mode": "block"},
        {"kinds": ["email"], "mode": "redact"},
        {"mode": "off"},
    ]
    assert mode(finding(), rules=rules) is Mode.REDACT
    assert mode(finding(rule="phone", kind="X"), rules=rules) is Mode.OFF
    assert mode(finding(score=0.96), rules=rules) is Mode.BLOCK
    assert mode(finding(), Where("shop", "general", Place.ANSWER), rules=rules) is Mode.BLOCK


def test_without_a_rule_the_guards_own_mode_decides_and_flag_is_the_least_said() -> None:
    assert mode(finding(guard=Guard.SECRETS)) is Mode.REDACT
    assert mode(finding(guard=Guard.REFUSAL)) is Mode.OBSERVE
    assert mode(finding()) is Mode.FLAG
    assert mode(finding(), modes={"personal": "off"}) is Mode.OFF


@pytest.mark.parametrize(
    ("said", "follows"),
    [("observe", "observe"), ("flag", "flag"), ("tokenise", "flag"), ("redact", "block"), ("block", "block")],
)
def test_arguments_are_never_rewritten(said: str, follows: str) -> None:
    where = Where("shop", "general", Place.ARGUMENTS)
    assert mode(finding(), where, modes={"personal": said}).value == follows


def test_overlapping_findings_are_replaced_together_by_the_hardest() -> None:
    text = "0123456789"
    judged = [
        Judged(finding(1, 4), Mode.TOKENISE),
        Judged(finding(3, 6, kind="KEY"), Mode.REDACT),
        Judged(finding(8, 9), Mode.FLAG),
    ]
    assert rewritten(text, judged, label) == "0[KEY]6789"
    assert strongest(judged) is Mode.REDACT
    assert strongest([]) is Mode.OFF


@given(
    text=st.text(max_size=40),
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10), st.sampled_from(list(Mode))), max_size=8),
)
def test_no_character_that_must_not_go_on_does_and_all_others_do(text: str, spans: list[Any]) -> None:
    judged = [
        Judged(finding(start, min(start + size, len(text)), kind="\x00"), how)
        for start, size, how in spans
        if start < len(text)
    ]
    gone = {
        at
        for one in judged
        if one.mode in {Mode.TOKENISE, Mode.REDACT, Mode.BLOCK}
        for at in range(one.finding.start, one.finding.end)
    }
    kept = "".join(char for at, char in enumerate(text) if at not in gone)
    assert rewritten(text, judged, lambda *_: "") == kept
