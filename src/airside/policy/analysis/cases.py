"""`policy test`: calls with the verdicts they must get, from a YAML file."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from pydantic import Field

from airside.core.policy import Decision, Verdict
from airside.core.tool import Tool
from airside.policy.analysis.examples import WrittenCall
from airside.policy.conditions import Part
from airside.policy.layers import LayeredPolicy


class Expected(Part):
    """What must be decided; `rule` is one that must have led to it."""

    verdict: Verdict
    rule: str = Field(default="", max_length=100)


class Case(Part):
    """One call and what must come of it."""

    name: str = Field(min_length=1, max_length=200)
    call: WrittenCall
    expect: Expected


class Cases(Part):
    """A file of cases."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=10_000)


class Result(Struct, frozen=True):
    """What a case came to."""

    name: str
    passed: bool
    decision: Decision
    text: str


def run(cases: Cases, policy: LayeredPolicy, tools: Mapping[str, Tool]) -> Sequence[Result]:
    """Put every case to the rules."""
    return [_result(case, case.call.decided(policy, tools)) for case in cases.cases]


def _result(case: Case, decision: Decision) -> Result:
    said = ", ".join([f"{reason.rule}: {reason.because}" for reason in decision.reasons])
    rules = {reason.rule for reason in decision.reasons}
    if decision.verdict is not case.expect.verdict:
        text = f"expected {case.expect.verdict}, but it is {decision.verdict} ({said})"
        return Result(case.name, False, decision, text)
    if case.expect.rule and case.expect.rule not in rules:
        return Result(case.name, False, decision, f"expected rule {case.expect.rule}, but it was {said}")
    return Result(case.name, True, decision, f"{decision.verdict} ({said})")
