"""Weighs the conditions of a rule against a call and its facts. Compiled once; what cannot be told is None.

Conditions on a call's subject (names, effect, stage, caller) are `static`: few different ones occur, and their outcome
is remembered. The others look at the call itself.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from msgspec import Struct

from airside.core.call import CallKind, Effect
from airside.core.policy import CHOSEN, VOUCHED, Origin
from airside.policy.arguments import found, in_role, leaves
from airside.policy.conditions import ArgumentIs, Confidence, Risk, Taints
from airside.policy.globs import Globs
from airside.policy.periods import weekday_and_minute
from airside.policy.rules import Conditions
from airside.policy.seen import Seen
from airside.policy.truth import Truth, all_of, any_of, negated
from airside.policy.values import Test, test_of, within


class Subject(Struct, frozen=True):
    """What static conditions look at."""

    kind: CallKind
    name: str
    effect: Effect
    agent: str
    tenant: str
    stage: str
    caller: str
    reversible: bool
    declared: bool


class Check(NamedTuple):
    """One condition on a call: its name for people, and whether it holds for `each` (allowing) or `any` value."""

    name: str
    test: Callable[[Seen], Truth]


def static(rule: Conditions) -> Callable[[Subject], Truth]:
    """Return whether a rule can be about a subject."""
    names = Globs(rule.models or rule.tools)
    others = Globs(rule.but_not) if rule.but_not is not None else None
    kind = CallKind.MODEL if rule.models is not None else CallKind.TOOL
    agents = Globs(rule.agents) if rule.agents is not None else None
    tenants = Globs(rule.tenants) if rule.tenants is not None else None

    def about(subject: Subject) -> Truth:
        if (
            subject.kind is not kind
            or (rule.effects is not None and subject.effect not in rule.effects)
            or (rule.reversible is not None and subject.reversible is not rule.reversible)
            or (rule.declared is not None and subject.declared is not rule.declared)
        ):
            return False
        truths = [names.told(subject.name)]
        if others is not None:
            truths.append(negated(others.told(subject.name)))
        if agents is not None:
            truths.append(agents.told(subject.agent))
        if tenants is not None:
            truths.append(tenants.told(subject.tenant))
        if rule.stages is not None:
            truths.append(subject.stage in rule.stages if subject.stage else None)
        if rule.callers is not None:
            truths.append(subject.caller in rule.callers if subject.caller else None)
        return all_of(truths)

    return about


def checks(rule: Conditions, zone: str, *, allowing: bool) -> Sequence[Check]:
    """Return a rule's conditions on the call itself, but its sums and counts."""
    made: list[Check] = []
    if rule.amount is not None:
        made.append(Check("amount", partial(_amount, rule.amount.above, rule.amount.at_most)))
    if rule.confidence is not None:
        made.append(Check("confidence", partial(_confidence, rule.confidence)))
    if rule.risk is not None:
        made.append(Check("risk", partial(_risk, rule.risk)))
    if rule.named is not None:
        named = rule.named
        made.append(Check("named", lambda seen: any(link.origin in CHOSEN for link in seen.links) is named))
    if rule.plan is not None:
        planned = rule.plan
        made.append(Check("plan", lambda seen: seen.facts.planned in planned if seen.facts.at_us else None))
    if rule.time is not None:
        made.append(Check("time", partial(_time, rule.time.days, rule.time.minutes, rule.time.zone or zone)))
    if rule.taints is not None:
        made.append(Check("taints", _taints(rule.taints)))
    if rule.leaves is not None:
        made.append(Check("leaves", _leaves(rule.leaves)))
    for name, origins in (rule.origins or {}).items():
        made.append(Check(f"origins.{name}", partial(_origins, name, origins_of(origins), allowing)))
    for path, operators in (rule.arguments or {}).items():
        made.extend(_argument(path, operators, allowing=allowing))
    return made


def origins_of(said: Iterable[str]) -> frozenset[Origin]:
    """Return the origins that a rule lists, its shorthands spelled out."""
    listed: set[Origin] = set()
    for word in said:
        if word == "vouched":
            listed |= VOUCHED
        elif word == "not_vouched":
            listed |= set(Origin) - VOUCHED
        else:
            listed.add(Origin(word))
    return frozenset(listed)


def _amount(above: Decimal | None, at_most: Decimal | None, seen: Seen) -> Truth:
    dollars = seen.money.dollars
    if dollars is None:
        return None if at_most is None else False
    return (above is None or dollars > above) and (at_most is None or dollars <= at_most)


def _confidence(band: Confidence, seen: Seen) -> Truth:
    sure = seen.facts.confidence
    return within(sure, band) if sure is not None and 0 <= sure <= 1 else None


def _risk(band: Risk, seen: Seen) -> Truth:
    return within(seen.facts.risk, band) if seen.facts.at_us and 0 <= seen.facts.risk <= 1 else None


def _time(days: Collection[str] | None, minutes: tuple[int, int] | None, zone: str, seen: Seen) -> Truth:
    if not seen.facts.at_us:
        return None
    day, minute = weekday_and_minute(zone, seen.facts.at_us)
    if days is not None and day not in days:
        return False
    if minutes is None:
        return True
    begin, end = minutes
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _taints(taints: Taints) -> Callable[[Seen], Truth]:
    wanted = Globs(taints.any_of) if taints.any_of else None
    unwanted = Globs(taints.none_of) if taints.none_of else None

    def weigh(seen: Seen) -> Truth:
        if not seen.witnessed:
            return None
        truths: list[Truth] = []
        if wanted:
            truths.append(any_of(wanted.told(taint) for taint in seen.facts.taints))
        if unwanted:
            truths.append(negated(any_of(unwanted.told(taint) for taint in seen.facts.taints)))
        return all_of(truths)

    return weigh


def _leaves(said: str | tuple[str, ...]) -> Callable[[Seen], Truth]:
    globs = Globs(("*",) if isinstance(said, str) else said)

    def weigh(seen: Seen) -> Truth:
        if not seen.witnessed:
            return None
        any_leaves = any_of(globs.told(thing) for thing in seen.facts.leaves)
        return negated(any_leaves) if said == "none" else any_leaves

    return weigh


def _origins(name: str, origins: frozenset[Origin], allowing: bool, seen: Seen) -> Truth:
    fits = [link.origin in origins for link in seen.links if in_role(link.role, name)]
    return all(fits) if allowing else any(fits)


def _argument(path: str, is_: ArgumentIs, *, allowing: bool) -> Sequence[Check]:
    name = f"arguments.{path}"
    made: list[Check] = []
    if is_.present is not None:
        present = is_.present
        made.append(Check(name, lambda seen: bool(found(seen.call.arguments, path)) is present))
    if is_.length_max is not None:
        made.append(Check(name, partial(_length, path, is_.length_max, allowing)))
    if is_.origin is not None:
        made.append(Check(name, partial(_origin, path, origins_of(is_.origin), allowing)))
    if is_.model_fields_set - {"present", "length_max", "origin"}:
        made.append(Check(name, partial(_each, path, test_of(is_), allowing)))
    return made


def _each(path: str, test: Test, allowing: bool, seen: Seen) -> Truth:
    values = [value for place, at in found(seen.call.arguments, path) for _, value in leaves(place, at)]
    return _weighed([test(value) for value in values], allowing)


def _length(path: str, most: int, allowing: bool, seen: Seen) -> Truth:
    values = [value for _, value in found(seen.call.arguments, path)]
    return _weighed(
        [len(value) <= most if isinstance(value, str | list | tuple | dict) else None for value in values], allowing
    )


def _origin(path: str, origins: frozenset[Origin], allowing: bool, seen: Seen) -> Truth:
    places = [place for place, _ in found(seen.call.arguments, path)]
    links = [link for place in places for link in seen.links_at(place)]
    return _weighed([link.origin in origins for link in links], allowing)


def _weighed(truths: Sequence[Truth], allowing: bool) -> Truth:
    """Return whether each fits, for an allowing rule, or any, for another; where nothing is, nothing fits."""
    if not truths:
        return False
    return all_of(truths) if allowing else any_of(truths)
