"""The worst that a fully hijacked agent can do without a person: dollars, messages, deletions, records, run and day.

From the rules by proof (up to which amount a call is allowed, how far a sum may go), times what budgets and rates let
happen. What nothing bounds is said to be unbounded.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from airside.core.call import Effect
from airside.core.money import NanoUsd, to_decimal
from airside.core.policy import Verdict
from airside.core.tool import ArgumentRole, Tool
from airside.policy.analysis.proofs import Question
from airside.policy.conditions import Count, Period, Sum
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rule
from airside.policy.windows import Window, limit_of, window_of

BUDGET_S = 60.0
Bound = Decimal | None
"""How much at most; None is without bound."""

_PERIODS_A_DAY: Final = {Period.HOUR: 25, Period.DAY: 1, Period.MONTH: 1}
_PERIODS_A_RUN: Final = {Period.DAY: 2, Period.MONTH: 2, Period.RUN: 1}


class Harm(StrEnum):
    """What a call's effect counts as."""

    DOLLARS = "dollars"
    MESSAGES = "messages"
    DELETIONS = "deletions"
    RECORDS = "records"


class Limits(Struct, frozen=True):
    """What bounds an agent beside the rules: calls and seconds of a run, calls of all its runs in a day."""

    calls_a_run: int | None
    wall_s: float
    calls_a_day: int | None


class Reach(Struct, frozen=True):
    """What an agent can do with one tool without a person. Amounts are dollars where `harm` says so, else calls."""

    tool: str
    harm: Harm
    automatic: bool
    dollars_a_call: Bound
    run: Bound
    day: Bound
    bounded_by: tuple[str, ...] = ()


def reach(
    policies: Sequence[RulePolicy], agent: str, tools: Sequence[Tool], limits: Limits, *, budget_s: float = BUDGET_S
) -> Sequence[Reach]:
    """Return what an agent can do with each of its tools that has an effect; what is not known is the worst."""
    catalogue = {tool.name: tool for tool in tools}
    some = Rule(name="agent", then=Verdict.DENY, agents=(agent,))
    question = Question(policies, catalogue, [some], budget_s=budget_s)
    return [_reach(question, policies, agent, tool, limits) for tool in tools if tool.effect is not Effect.READ]


def harm_of(tool: Tool) -> Harm:
    """Return what a tool's effect counts as; what is not declared counts as what cannot be undone."""
    if tool.amount_argument:
        return Harm.DOLLARS
    if ArgumentRole.RECIPIENT in tool.roles.values():
        return Harm.MESSAGES
    return Harm.RECORDS if tool.reversible else Harm.DELETIONS


def _reach(question: Question, policies: Sequence[RulePolicy], agent: str, tool: Tool, limits: Limits) -> Reach:
    about = Rule(name="tool", then=Verdict.DENY, tools=(tool.name.replace("*", "?"),), agents=(agent,))
    near = [side.near(about) for side in question.sides]
    space, z3 = question.space, question.space.z3
    here = z3.And(
        z3.Not(space.is_model),
        space.name.one_of(lambda name: name == tool.name),
        space.agent.one_of(lambda name: name == agent),
        *[side.allowed(rules) for side, rules in zip(question.sides, near, strict=True)],
    )
    harm = harm_of(tool)

    if question.holds_nowhere(near, here) is True:
        return Reach(tool.name, harm, False, Decimal(0), Decimal(0), Decimal(0))
    by: list[str] = []
    a_call = _most(question, near, here, _amounts(near)) if harm is Harm.DOLLARS else None
    run, day = _by_limits(a_call, harm, limits, by)
    for policy, rules in zip(policies, near, strict=True):
        for rule in rules:
            for condition in (rule.sum, rule.count):
                if condition is None or not _measures(condition, harm):
                    continue
                cap = _cap(question, near, here, window_of(condition, rule.tools, policy.place), condition)
                if cap is not None:
                    by.append(f"{rule.name}: {cap.normalize():f} per {condition.per} by {condition.by}")
                    run = _least(run, _in_a_run(condition, cap, limits))
                    day = _least(day, _in_a_day(condition, cap))
    return Reach(tool.name, harm, True, a_call, run, day, tuple(dict.fromkeys(by)))


def _by_limits(a_call: Bound, harm: Harm, limits: Limits, by: list[str]) -> tuple[Bound, Bound]:
    if harm is Harm.DOLLARS and a_call is None:
        return None, None
    each = a_call if harm is Harm.DOLLARS and a_call is not None else Decimal(1)
    if harm is Harm.DOLLARS:
        by.append(f"{each} a call")
    if limits.calls_a_run is not None:
        by.append(f"{limits.calls_a_run} calls a run")
    run = None if limits.calls_a_run is None else each * limits.calls_a_run
    return run, None if limits.calls_a_day is None else each * limits.calls_a_day


def _amounts(near: Sequence[Sequence[Rule]]) -> list[Decimal]:
    amounts = [rule.amount for rules in near for rule in rules if rule.amount is not None]
    sums = [rule.sum for rules in near for rule in rules if rule.sum is not None]
    bounds = [b for part in amounts for b in (part.above, part.at_most)] + [
        b for s in sums for b in (s.above, s.at_most)
    ]
    return sorted({bound for bound in bounds if bound is not None})


def _most(question: Question, near: Sequence[Sequence[Rule]], here: object, bounds: Sequence[Decimal]) -> Bound:
    """Return the least of some bounds that no allowed call exceeds."""
    space = question.space
    readable = question.holds_nowhere(near, here, space.z3.Not(space.amount_known)) is True
    for bound in bounds if readable else ():
        if question.holds_nowhere(near, here, space.amount > space.z3.RealVal(str(bound))) is True:
            return bound
    return None


def _cap(
    question: Question,
    near: Sequence[Sequence[Rule]],
    here: object,
    window: Window,
    condition: Sum | Count,
) -> Bound:
    """Return the limit of a sum or count if no allowed call takes it beyond."""
    space, z3 = question.space, question.space.z3
    moved, limit = space.sum_of(window.name), limit_of(condition)
    over = moved + 1 > limit
    if isinstance(condition, Sum):
        over = z3.ToReal(moved) + space.amount * 1_000_000_000 > limit
    if question.holds_nowhere(near, here, over) is not True:
        return None
    return to_decimal(NanoUsd(limit)) if isinstance(condition, Sum) else Decimal(limit)


def _measures(condition: Sum | Count, harm: Harm) -> bool:
    return isinstance(condition, Sum) is (harm is Harm.DOLLARS)


def _in_a_run(condition: Sum | Count, cap: Decimal, limits: Limits) -> Bound:
    if condition.per is Period.RUN:
        return cap
    if not condition.by.startswith(("tenant", "agent")):
        return None  # there may be any number of sums
    times = int(limits.wall_s // 3_600) + 2 if condition.per is Period.HOUR else _PERIODS_A_RUN[condition.per]
    return cap * times


def _in_a_day(condition: Sum | Count, cap: Decimal) -> Bound:
    if condition.per is Period.RUN or not condition.by.startswith(("tenant", "agent")):
        return None  # there may be any number of runs
    return cap * _PERIODS_A_DAY[condition.per]


def _least(one: Bound, other: Bound) -> Bound:
    return one if other is None else other if one is None else min(one, other)


def total(reaches: Sequence[Reach], harm: Harm) -> Mapping[str, Bound]:
    """Return what all tools of an agent can do together; tools that share a sum are counted each by itself."""
    some = [reach for reach in reaches if reach.harm is harm]

    def added(bounds: Sequence[Bound]) -> Bound:
        known = [bound for bound in bounds if bound is not None]
        return sum(known, Decimal(0)) if len(known) == len(bounds) else None

    return {"run": added([reach.run for reach in some]), "day": added([reach.day for reach in some])}
