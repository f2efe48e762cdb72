"""What a change of policy newly lets happen without a person, or at all, each with a call put to both."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from airside.core.policy import Verdict
from airside.core.tool import Tool
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.proofs import Question, alone
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rule

BUDGET_S = 60.0
DIFFERENCES_MAX = 50


class Loosened(StrEnum):
    """In which way the new policy is looser."""

    ALLOWED = "allowed"  # was denied or asked, is allowed
    ASKED = "asked"  # was denied, may now be approved
    UNDECIDED = "undecided"  # neither excluded nor shown in time


class Difference(Struct, frozen=True):
    """A call whose verdict became looser, the rule behind it, and both verdicts."""

    kind: Loosened
    rule: str
    before: Verdict | None
    now: Verdict | None
    example: WrittenCall | None


def newly_allowed(
    old: RulePolicy, new: RulePolicy, tools: Mapping[str, Tool], *, budget_s: float = BUDGET_S
) -> Sequence[Difference]:
    """Return what the new policy lets pass that the old one did not; at most one call for each rule of the new one."""
    question = Question([old, new], tools, budget_s=budget_s)
    before, now = question.sides
    found: list[Difference] = []
    models = Rule(name="models-by-default", then=Verdict.ALLOW, models=("*",))
    for rule in [*now.rules.values(), models]:
        if rule.then is Verdict.DENY or len(found) >= DIFFERENCES_MAX:
            continue
        near = [before.near(rule), now.near(rule)]
        said = [now.speaks[rule.name]] if rule.name in now.speaks else [question.space.is_model]
        unlike = question.space.z3.Not
        looser = Loosened.ALLOWED if rule.then is Verdict.ALLOW else Loosened.ASKED
        if looser is Loosened.ALLOWED:
            formulas = [*said, now.allowed(near[1]), unlike(before.allowed(near[0]))]
        else:
            formulas = [*said, now.passes(near[1]), unlike(before.passes(near[0]))]
        answer = question.find(near, formulas, lambda call: _looser(call, old, new, tools))
        if answer.example is not None:
            verdicts = [answer.example.decided(alone(policy), tools).verdict for policy in (old, new)]
            found.append(Difference(looser, rule.name, verdicts[0], verdicts[1], answer.example))
        elif not answer.proved and not question.surely_nowhere(near, formulas):
            found.append(Difference(Loosened.UNDECIDED, rule.name, None, None, None))
    return found


_ORDER = (Verdict.DENY, Verdict.ASK, Verdict.ALLOW)


def _looser(call: WrittenCall, old: RulePolicy, new: RulePolicy, tools: Mapping[str, Tool]) -> bool:
    before, now = (call.decided(alone(policy), tools).verdict for policy in (old, new))
    return _ORDER.index(now) > _ORDER.index(before)
