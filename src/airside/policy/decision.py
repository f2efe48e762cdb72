"""The verdict of one file on a call: deny beats ask, ask beats allow, and what nobody allows is denied."""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind
from airside.core.policy import Counter, Decision, Reason, Verdict
from airside.core.tool import Tool
from airside.policy.rules import Mode, Rule, Rules
from airside.policy.seen import Seen
from airside.policy.truth import Truth
from airside.policy.weighing import Check, Subject, checks, static
from airside.policy.windows import UNLIMITED, Place, Window, limit_of, window_of

REMEMBERED_MAX = 10_000
UNSAID = "default"
"""The name under which a call is denied that no rule allows."""
OBSERVED = "only observed"
_ORDER = (Verdict.DENY, Verdict.ASK, Verdict.ALLOW)


class Compiled(Struct, frozen=True):
    """A rule ready to be weighed: `windows` are its sums and counts with their limits.

    `reason` is what it says where all of its conditions can be told.
    """

    rule: Rule
    allowing: bool
    reason: Reason
    checks: Sequence[Check]
    windows: Sequence[tuple[Window, int]]

    @property
    def plain(self) -> bool:
        """Whether the subject alone says all."""
        return not self.checks and not self.windows


class Applicable(Struct, frozen=True):
    """The rules that may speak on a subject, and the windows its calls count in.

    `tiers` are those that count, the strictest first; a tier in which one speaks decides. `limiting` are those that a
    sum keeps from asking or denying. `decision` is theirs if the subject alone says all. What stands beside a rule is
    whether it is certain that it is about the subject.
    """

    tiers: Sequence[Sequence[tuple[Compiled, Truth]]]
    observed: Sequence[tuple[Compiled, Truth]]
    limiting: Sequence[Compiled]
    windows: Sequence[Window]
    decision: Decision | None = None


class Spoken(Struct, frozen=True):
    """A rule that holds; `uncertain` names the conditions that could not be told."""

    compiled: Compiled
    uncertain: Sequence[str]


class RulePolicy:
    """Implements core.ports.Policy over the rules of one file. `version` is `pol_` plus a hash of what they say."""

    def __init__(self, rules: Rules, place: Place | None = None) -> None:
        place = place or Place()
        self.rules = rules
        self.place = Place(place.layer, rules.time_zone or place.zone, place.salt)
        self._about = [(static(rule), self._compiled(rule)) for rule in rules.rules]
        self._windows = {window.name: window for _, one in self._about for window, _ in one.windows}
        self._applicable: dict[Subject, Applicable] = {}
        body = canonical.encode(rules.model_dump(mode="json", exclude_defaults=True, by_alias=True))
        self.version = "pol_" + hashlib.sha256(body).hexdigest()[:32]

    def decide(self, call: Call, tool: Tool | None) -> Decision:
        """Return the verdict on a call, with the rules that led to it."""
        if call.kind is CallKind.TOOL and tool is None:
            return self._denied("unknown-tool", f"no tool {call.name} exists for this agent")
        decision = self._decided(call, tool)
        if self.rules.mode is Mode.ENFORCE or decision.verdict is Verdict.ALLOW:
            return decision
        return Decision(Verdict.ALLOW, tuple(map(_observed, decision.reasons)), self.version, decision.links)

    def _decided(self, call: Call, tool: Tool | None) -> Decision:
        subject = subject_of(call, tool)
        applicable = self._applicable.get(subject) or self._remembered(subject)
        if tool is None:
            assert applicable.decision is not None, "rules about models look at nothing but the subject"
            return applicable.decision
        if applicable.decision is not None and not applicable.windows:
            known = applicable.decision
            links = call.facts.links
            return Decision(known.verdict, known.reasons, known.policy_version, links) if links else known
        seen = Seen(call, tool)
        spoken = _spoken(applicable.observed, seen)
        for tier in applicable.tiers:
            if counting := _spoken(tier, seen):
                spoken += counting
                break
        decision = self._judged(subject, spoken, seen)
        counters = _counters(decision, applicable, spoken, seen)
        return Decision(decision.verdict, decision.reasons, decision.policy_version, call.facts.links, counters)

    def counters(self, call: Call, tool: Tool) -> Sequence[Counter]:
        """Return the counters that a call would add to, so that somebody can look up how they stand."""
        if not self._windows:
            return ()
        subject = subject_of(call, tool)
        windows = (self._applicable.get(subject) or self._remembered(subject)).windows
        if not windows:
            return ()
        seen = Seen(call, tool)
        return [counter for window in windows if (counter := window.counter(seen))]

    def _compiled(self, rule: Rule) -> Compiled:
        conditions = [condition for condition in (rule.sum, rule.count) if condition is not None]
        windows = [(window_of(condition, rule.tools, self.place), limit_of(condition)) for condition in conditions]
        allowing = rule.then is Verdict.ALLOW
        weighed = checks(rule, self.place.zone, allowing=allowing)
        return Compiled(rule, allowing, _said(rule, ()), weighed, windows)

    def _remembered(self, subject: Subject) -> Applicable:
        rules = []
        for about, compiled in self._about:
            told = about(subject)
            if told or (told is None and compiled.rule.then is not Verdict.ALLOW):
                rules.append((compiled, told))
        is_tool = subject.kind is CallKind.TOOL
        windows = [w for w in self._windows.values() if is_tool and w.globs.told(subject.name) is not False]
        counting = [one for one in rules if one[0].rule.mode is Mode.ENFORCE]
        applicable = Applicable(
            tiers=[[one for one in counting if one[0].rule.then is verdict] for verdict in _ORDER],
            observed=[one for one in rules if one[0].rule.mode is Mode.OBSERVE],
            limiting=[one for one, _ in counting if one.windows and one.rule.then is not Verdict.ALLOW],
            windows=windows,
        )
        if all(compiled.plain for compiled, _ in rules):
            spoken = [Spoken(compiled, () if told else ("name",)) for compiled, told in rules]
            applicable = replace(applicable, decision=self._judged(subject, spoken, None))
        if len(self._applicable) >= REMEMBERED_MAX:
            self._applicable.clear()
        self._applicable[subject] = applicable
        return applicable

    def _judged(self, subject: Subject, spoken: Sequence[Spoken], seen: Seen | None) -> Decision:
        observed = tuple([_reason(one, seen) for one in spoken if one.compiled.rule.mode is Mode.OBSERVE])
        counting = [one for one in spoken if one.compiled.rule.mode is Mode.ENFORCE]
        for verdict in _ORDER:
            reasons = tuple([_reason(one, seen) for one in counting if one.compiled.rule.then is verdict])
            if reasons:
                return Decision(verdict, reasons + observed, self.version)
        if subject.kind is CallKind.MODEL and self.rules.models is Verdict.ALLOW:
            said = Reason("models", Verdict.ALLOW, "model calls are allowed by default")
            return Decision(Verdict.ALLOW, (said, *observed), self.version)
        if self.place.layer and self.rules.otherwise is not Verdict.DENY:
            return Decision(Verdict.ALLOW, observed, self.version)
        problem = f" ({seen.money.problem})" if seen is not None and seen.money.problem else ""
        return self._denied(UNSAID, f"no rule allows {subject.name} to agent {subject.agent}{problem}", observed)

    def _denied(self, rule: str, because: str, observed: tuple[Reason, ...] = ()) -> Decision:
        return Decision(Verdict.DENY, (Reason(rule, Verdict.DENY, because), *observed), self.version)


def subject_of(call: Call, tool: Tool | None) -> Subject:
    """Return what static conditions look at."""
    return Subject(
        call.kind,
        call.name,
        tool.effect if tool else call.effect,
        call.who.agent,
        call.who.tenant_id,
        call.facts.stage,
        call.facts.caller or call.who.caller,
        tool.reversible if tool else False,
        tool.declared if tool else False,
    )


def _spoken(rules: Sequence[tuple[Compiled, Truth]], seen: Seen) -> list[Spoken]:
    return [spoken for compiled, told in rules if (spoken := _weighed(compiled, told, seen))]


def _weighed(compiled: Compiled, told: Truth, seen: Seen) -> Spoken | None:
    """Return the rule if it speaks: an allowing one if all its conditions hold, another if none of them fails."""
    allowing = compiled.allowing
    uncertain = [] if told else ["name"]
    for check in compiled.checks:
        truth = check.test(seen)
        if not truth:
            if allowing or truth is False:
                return None
            uncertain.append(check.name)
    for window, limit in compiled.windows:
        over = window.over(seen, limit)
        if over is allowing or (over is None and allowing):
            return None
        if over is None:
            uncertain.append("sum" if window.money else "count")
    return Spoken(compiled, uncertain)


def _reason(spoken: Spoken, seen: Seen | None) -> Reason:
    if not spoken.uncertain:
        return spoken.compiled.reason
    notes = []
    if "amount" in spoken.uncertain and seen is not None:
        notes.append(f"{seen.money.problem}, so it counts as above every limit")
    unclear = [name for name in spoken.uncertain if name != "amount"]
    if unclear:
        notes.append(f"cannot be told, so the rule holds: {', '.join(unclear)}")
    return _said(spoken.compiled.rule, notes)


def _said(rule: Rule, notes: Iterable[str]) -> Reason:
    notes = [*notes, *([OBSERVED] if rule.mode is Mode.OBSERVE else [])]
    said = (rule.because or f"the rule says {rule.then}") + "".join([f" ({note})" for note in notes])
    return Reason(rule.name, rule.then, said, rule.approvals, rule.escalate)


def _observed(reason: Reason) -> Reason:
    return replace(reason, because=f"{reason.because} ({OBSERVED})")


def _counters(decision: Decision, applicable: Applicable, spoken: Sequence[Spoken], seen: Seen) -> tuple[Counter, ...]:
    """Return what the call adds to its windows, each with the limit that the verdict has relied on.

    An allowed call relies on one allowing rule, and on every other rule whose sum was not reached; one that a person
    has to see only on sums that would have denied it.
    """
    if decision.verdict is Verdict.DENY or not applicable.windows:
        return ()
    limits = dict.fromkeys([window.name for window in applicable.windows], UNLIMITED)
    said = {one.compiled.rule.name for one in spoken}
    for compiled in applicable.limiting:
        strict = compiled.rule.then is Verdict.DENY or decision.verdict is Verdict.ALLOW
        if strict and compiled.rule.name not in said:
            _limit(limits, _unreached(compiled, seen))
    if decision.verdict is Verdict.ALLOW:
        allowing = [
            one.compiled
            for one in spoken
            if one.compiled.rule.then is Verdict.ALLOW and one.compiled.rule.mode is Mode.ENFORCE
        ]
        _limit(limits, min(allowing, key=lambda compiled: len(compiled.windows)).windows if allowing else ())
    made = [window.counter(seen, limits[window.name]) for window in applicable.windows]
    return tuple([counter for counter in made if counter is not None])


def _limit(limits: dict[str, int], windows: Iterable[tuple[Window, int]]) -> None:
    for window, limit in windows:
        limits[window.name] = min(limits[window.name], limit)


def _unreached(compiled: Compiled, seen: Seen) -> Iterable[tuple[Window, int]]:
    """Return the window that alone keeps a rule from speaking, with its limit; nothing if something else does too."""
    if any(check.test(seen) is False for check in compiled.checks):
        return ()
    return [(window, limit) for window, limit in compiled.windows if window.over(seen, limit) is False][:1]
