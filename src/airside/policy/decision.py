"""The verdict on a call: deny beats ask, ask beats allow, and what nobody allows is denied."""

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct

from airside.core import canonical
from airside.core.call import Call, CallKind, Effect
from airside.core.policy import Decision, Reason, Verdict
from airside.core.tool import Tool
from airside.policy.amounts import Money, amount_of
from airside.policy.rules import Amount, Rule, Rules

REMEMBERED_MAX = 10_000
_ORDER = (Verdict.DENY, Verdict.ASK, Verdict.ALLOW)


class _Subject(Struct, frozen=True):
    """What the conditions other than amount look at; few different ones occur, so their rules are remembered."""

    kind: CallKind
    name: str
    effect: Effect
    agent: str


class _Applicable(Struct, frozen=True):
    """The rules that may speak on a subject; `decision` is theirs if none of them looks at the amount."""

    rules: tuple[Rule, ...]
    decision: Decision | None


class RulePolicy:
    """Implements core.ports.Policy over the rules of one file. `version` is `pol_` plus a hash of what they say."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._globs = _Globs()
        self._applicable: dict[_Subject, _Applicable] = {}
        body = canonical.encode(rules.model_dump(mode="json", exclude_defaults=True))
        self.version = "pol_" + hashlib.sha256(body).hexdigest()[:32]

    def decide(self, call: Call, tool: Tool | None) -> Decision:
        """Return the verdict on a call, with the rules that led to it."""
        if call.kind is CallKind.TOOL and tool is None:
            return self._denied("unknown-tool", f"no tool {call.name} exists for this agent")
        subject = _Subject(call.kind, call.name, tool.effect if tool else call.effect, call.who.agent)
        applicable = self._applicable.get(subject) or self._remembered(subject)
        if applicable.decision is not None or tool is None:
            return applicable.decision or self._denied("default", "no rule allows it")
        money = amount_of(tool, call.arguments)
        return self._verdict(subject, [rule for rule in applicable.rules if _within(rule, money)], money)

    def _remembered(self, subject: _Subject) -> _Applicable:
        rules = tuple([rule for rule in self._rules.rules if self._is_about(rule, subject)])
        plain = all(rule.amount is None for rule in rules)
        applicable = _Applicable(rules, self._verdict(subject, rules, Money(None)) if plain else None)
        if len(self._applicable) >= REMEMBERED_MAX:
            self._applicable.clear()
        self._applicable[subject] = applicable
        return applicable

    def _is_about(self, rule: Rule, subject: _Subject) -> bool:
        names = rule.models if subject.kind is CallKind.MODEL else (rule.tools if rule.models is None else None)
        return (
            names is not None
            and self._globs.match(names, subject.name)
            and (rule.effects is None or subject.effect in rule.effects)
            and (rule.agents is None or self._globs.match(rule.agents, subject.agent))
        )

    def _verdict(self, subject: _Subject, speaking: Iterable[Rule], money: Money) -> Decision:
        speaking = list(speaking)
        for verdict in _ORDER:
            reasons = tuple([_reason(rule, money) for rule in speaking if rule.then is verdict])
            if reasons:
                return Decision(verdict, reasons, self.version)
        if subject.kind is CallKind.MODEL and self._rules.models is Verdict.ALLOW:
            return Decision(
                Verdict.ALLOW, (Reason("models", Verdict.ALLOW, "model calls are allowed by default"),), self.version
            )
        problem = f" ({money.problem})" if money.problem else ""
        return self._denied("default", f"no rule allows {subject.name} to agent {subject.agent}{problem}")

    def _denied(self, rule: str, because: str) -> Decision:
        return Decision(Verdict.DENY, (Reason(rule, Verdict.DENY, because),), self.version)


class _Globs:
    """Compiled patterns: `*` is any text, `?` any character, everything else itself."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, ...], re.Pattern[str]] = {}

    def match(self, globs: tuple[str, ...], name: str) -> bool:
        pattern = self._compiled.get(globs)
        if pattern is None:
            pattern = self._compiled[globs] = re.compile("|".join(map(_as_pattern, globs)), re.DOTALL)
        return pattern.fullmatch(name) is not None


def _as_pattern(glob: str) -> str:
    # Runs of stars mean one star; without this, many of them would make matching slow.
    return re.sub(r"(\\\*)+", ".*", re.escape(glob)).replace(r"\?", ".")


def _within(rule: Rule, money: Money) -> bool:
    if rule.amount is None:
        return True
    if money.dollars is None:
        return rule.then is not Verdict.ALLOW and rule.amount.at_most is None
    return _inside(rule.amount, money)


def _inside(amount: Amount, money: Money) -> bool:
    assert money.dollars is not None, "an unknown amount is not compared"
    above = amount.above is None or money.dollars > amount.above
    return above and (amount.at_most is None or money.dollars <= amount.at_most)


def _reason(rule: Rule, money: Money) -> Reason:
    because = rule.because or f"the rule says {rule.then}"
    if rule.amount is not None and money.dollars is None:
        because += f" ({money.problem}, so it counts as above every limit)"
    return Reason(rule.name, rule.then, because)
