"""What `policy check` finds in a policy: each with its rule, a sentence, and where there is one, a concrete call."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

from airside.core.policy import Verdict
from airside.core.tool import Tool
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.proofs import Question, alone, holds
from airside.policy.decision import RulePolicy
from airside.policy.globs import Globs, fold
from airside.policy.rules import Conditions, Mode, Rule

BUDGET_S = 60.0
_STRICTER = {
    Verdict.ALLOW: (Verdict.ASK, Verdict.DENY),
    Verdict.ASK: (Verdict.DENY,),
    Verdict.DENY: (),
}


class Kind(StrEnum):
    """What was found. The first two are errors: they say that the policy does not do what it says."""

    VIOLATED = "violated"  # a never-rule: some call is allowed that must not be
    UNDECIDED = "undecided"  # a never-rule that was neither proved nor broken in time
    PROVED = "proved"  # a never-rule holds for every call
    UNSATISFIABLE = "unsatisfiable"  # a rule's conditions exclude each other
    CONTRADICTION = "contradiction"  # a rule that another one with the same conditions always beats
    SHADOWED = "shadowed"  # a rule that others always beat
    OBSERVED = "observed"  # what only this rule or file stops is let pass
    UNKNOWN_NAME = "unknown_name"  # a name that nothing known fits
    LOOK_ALIKE = "look_alike"  # a name with characters that look like others
    NOT_EXAMINED = "not_examined"  # time was up


ERRORS = frozenset({Kind.VIOLATED, Kind.UNDECIDED})


class Finding(Struct, frozen=True):
    """One thing that was found."""

    kind: Kind
    rule: str
    text: str
    example: WrittenCall | None = None


class Names(Struct, frozen=True):
    """What is known to exist: an empty set says nothing."""

    tools: Mapping[str, Tool] = {}
    tool_names: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()


def check(
    policy: RulePolicy, names: Names, above: Sequence[RulePolicy] = (), *, budget_s: float = BUDGET_S
) -> list[Finding]:
    """Return everything that is to be said of a policy; `above` are the layers above it, which must allow too."""
    question = Question([policy, *above], names.tools, policy.rules.never, budget_s=budget_s)
    nevers = [(never, question.formulas[0].speaks(never, certain=False)) for never in policy.rules.never]
    found = [_never(question, policy, above, never, formula, names) for never, formula in nevers]
    found += _useless(question)
    found += _observed(policy)
    for rule in [*policy.rules.rules, *policy.rules.never]:
        found += _odd_names(rule, names)
    return found


def _never(
    question: Question,
    policy: RulePolicy,
    above: Sequence[RulePolicy],
    never: Conditions,
    formula: object,
    names: Names,
) -> Finding:
    name = getattr(never, "name", "never")
    layers = [alone(one) for one in (policy, *above)]

    def breaks(call: WrittenCall) -> bool:
        allowed = all(call.decided(layer, names.tools).verdict is Verdict.ALLOW for layer in layers)
        return allowed and holds(never, call, names.tools, policy.place)

    near = [side.near(never) for side in question.sides]
    allowed = [side.allowed(rules) for side, rules in zip(question.sides, near, strict=True)]
    answer = question.find(near, [formula, *allowed], breaks)
    if answer.example is not None:
        return Finding(Kind.VIOLATED, name, "the rules allow a call that must never be allowed", answer.example)
    if answer.proved:
        return Finding(Kind.PROVED, name, "no call that it names is allowed")
    said = "neither a proof nor a call that breaks it was found"
    return Finding(Kind.UNDECIDED, name, said)


def _useless(question: Question) -> list[Finding]:
    """Return the rules that never speak, or never decide."""
    side, z3, found = question.sides[0], question.space.z3, []
    for rule in side.rules.values():
        near: list[list[Rule]] = [[] for _ in question.sides]
        stricter = [other for other in side.near(rule) if other.then in _STRICTER[rule.then]]
        near[0] = [rule, *stricter]
        speaks = side.speaks[rule.name]
        room = question.holds_nowhere(near, speaks, z3.Not(side.said(stricter, *_STRICTER[rule.then])))
        if room is None:
            found.append(Finding(Kind.NOT_EXAMINED, rule.name, "the time for looking at it and later rules was up"))
            break
        if room and question.holds_nowhere(near, speaks):
            found.append(Finding(Kind.UNSATISFIABLE, rule.name, "no call can meet all its conditions"))
        elif room:
            others = {other.name: side.speaks[other.name] for other in stricter}
            why = question.why_not(near, speaks, others)
            found.append(_shadowed(rule, [side.rules[name] for name in why]))
    return found


def _shadowed(rule: Rule, by: Sequence[Rule]) -> Finding:
    names = ", ".join([f"{other.name} ({other.then})" for other in by]) or "rules that ask or deny"
    same = [other for other in by if _conditions(other) == _conditions(rule)]
    if same:
        return Finding(Kind.CONTRADICTION, rule.name, f"{same[0].name} says {same[0].then} under the same conditions")
    return Finding(Kind.SHADOWED, rule.name, f"wherever it says {rule.then}, it is beaten by {names}")


def _conditions(rule: Rule) -> dict[str, object]:
    return {key: getattr(rule, key) for key in Conditions.model_fields if key != "because"}


def _observed(policy: RulePolicy) -> list[Finding]:
    rules = [rule.name for rule in policy.rules.rules if rule.mode is Mode.OBSERVE]
    found = [Finding(Kind.OBSERVED, name, "is only observed: what it would stop is let pass") for name in rules]
    if policy.rules.mode is Mode.OBSERVE:
        found.insert(0, Finding(Kind.OBSERVED, "", "the whole file is only observed: every tool call is let pass"))
    return found


def _odd_names(rule: Conditions, names: Names) -> list[Finding]:
    """Return the names in a rule that nothing known fits, with what may have been meant."""
    found, name = [], getattr(rule, "name", "")
    tools = names.tool_names | names.tools.keys()
    for kind, globs, known in (
        ("tool", rule.tools, tools),
        ("agent", rule.agents, names.agents),
        ("tenant", rule.tenants, names.tenants),
    ):
        for glob in globs or ():
            if not glob.isascii() and fold(glob).isascii():
                found.append(Finding(Kind.LOOK_ALIKE, name, f"{kind} {glob!a} looks like {fold(glob)!r}, but is not"))
            elif known and not any(Globs((glob,)).told(one) for one in known):
                close = get_close_matches(glob, sorted(known), 1, 0.6)
                meant = f"; did you mean {close[0]}?" if close else ""
                found.append(Finding(Kind.UNKNOWN_NAME, name, f"no {kind} is known that fits {glob!r}{meant}"))
    return found
