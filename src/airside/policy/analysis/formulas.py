"""Rules as formulas over a Space: when a rule speaks, and when a policy allows."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from airside.core.call import Call, CallKind, Effect
from airside.core.policy import CHOSEN, Facts, Verdict
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.policy.analysis.representatives import ABSENT
from airside.policy.analysis.space import Argument, Axis, Space
from airside.policy.arguments import in_role
from airside.policy.conditions import ArgumentIs, Count, Sum
from airside.policy.decision import RulePolicy
from airside.policy.globs import Globs
from airside.policy.rules import Conditions, Mode, Rule
from airside.policy.seen import Seen
from airside.policy.truth import Truth
from airside.policy.weighing import checks, origins_of
from airside.policy.windows import Place, limit_of, window_of

NOBODY = Identity("default", "run", 1, "agent", "release", "subject", (), True, 0)
SOME_TOOL = Tool(name="tool", description="", schema={})
SOME_CALL = Call(
    call_id="call",
    kind=CallKind.TOOL,
    name="tool",
    token="",
    parts=(),
    effect=Effect.EXECUTE,
    idempotent=False,
    timeout_s=1.0,
    identity=NOBODY,
)


class Formulas:
    """Makes formulas of the rules of one file."""

    def __init__(self, space: Space, place: Place) -> None:
        self._space = space
        self._z3 = space.z3
        self._place = place
        self._made: dict[tuple[str, str, bool], Any] = {}

    def speaks(self, rule: Conditions, *, certain: bool) -> Any:
        """Return when a rule's conditions certainly, or possibly, hold together."""
        space, z3 = self._space, self._z3
        if rule.models is not None:
            parts = [space.is_model, space.model.fits(rule.models, certain=certain)]
        else:
            parts = [z3.Not(space.is_model), space.name.fits(rule.tools, certain=certain)]
        if rule.but_not is not None:
            parts.append(z3.Not(space.name.fits(rule.but_not, certain=not certain)))
        if rule.agents is not None:
            parts.append(space.agent.fits(rule.agents, certain=certain))
        if rule.tenants is not None:
            parts.append(space.tenant.fits(rule.tenants, certain=certain))
        for axis, wanted in (
            (space.effect, rule.effects),
            (space.stage, rule.stages),
            (space.caller, rule.callers),
            (space.planned, rule.plan),
        ):
            if wanted is not None:
                parts.append(axis.one_of(frozenset(wanted).__contains__))
        if rule.reversible is not None:
            parts.append(space.reversible == rule.reversible)
        if rule.declared is not None:
            parts.append(space.declared == rule.declared)
        return z3.And([*parts, *self._facts(rule, certain), *self._values(rule, certain)])

    def _facts(self, rule: Conditions, certain: bool) -> Sequence[Any]:
        space, z3, parts = self._space, self._z3, []
        for key, axis, facts in (
            ("confidence", space.confidence, lambda value: Facts(at_us=1, confidence=value)),
            ("risk", space.risk, lambda value: Facts(at_us=1, risk=value)),
            ("time", space.instant, lambda value: Facts(at_us=value)),
        ):
            condition = getattr(rule, key)
            if condition is not None:
                name = f"{key} {condition.model_dump_json()}"
                only = Conditions(**{key: condition})
                parts.append(self._kept(name, axis, self._truth(only, facts), certain))
        if rule.taints is not None:
            parts += self._marked(space.taints, rule.taints.any_of, True)
            parts += self._marked(space.taints, rule.taints.none_of, False)
        if rule.leaves is not None:
            globs = ("*",) if isinstance(rule.leaves, str) else rule.leaves
            parts += self._marked(space.leaves, globs, rule.leaves != "none")
        if rule.origins is not None:
            parts += [self._origins(name, origins_of(said), certain) for name, said in rule.origins.items()]
        if rule.named is not None:
            chosen = [z3.And(a.present, a.origin.one_of(CHOSEN.__contains__)) for a in space.arguments.values()]
            parts.append(z3.Or(chosen) if rule.named else z3.Not(z3.Or(chosen)))
        return parts

    def _values(self, rule: Conditions, certain: bool) -> Sequence[Any]:
        space, z3, parts = self._space, self._z3, []
        if rule.amount is not None:
            above = space.amount > _number(z3, rule.amount.above) if rule.amount.above is not None else z3.BoolVal(True)
            most = rule.amount.at_most
            below = space.amount <= _number(z3, most) if most is not None else z3.BoolVal(True)
            known = z3.And(space.amount_known, above, below)
            parts.append(known if certain or most is not None else z3.Or(z3.Not(space.amount_known), known))
        windows = [condition for condition in (rule.sum, rule.count) if condition is not None]
        parts += [self._window(condition, rule, certain) for condition in windows]
        parts += [self._argument(path, is_, certain) for path, is_ in (rule.arguments or {}).items()]
        return parts

    def _window(self, condition: Sum | Count, rule: Conditions, certain: bool) -> Any:
        space, z3 = self._space, self._z3
        moved = space.sum_of(window_of(condition, rule.tools, self._place).name)
        limit = limit_of(condition)
        if isinstance(condition, Count):
            over = moved + 1 > limit
            return over if condition.above is not None else z3.Not(over)
        over = z3.ToReal(moved) + space.amount * 1_000_000_000 > limit
        if condition.at_most is not None:
            return z3.And(space.amount_known, z3.Not(over))
        return z3.And(space.amount_known, over) if certain else z3.Or(z3.Not(space.amount_known), over)

    def _argument(self, path: str, is_: ArgumentIs, certain: bool) -> Any:
        space, z3, parts = self._space, self._z3, []
        axis = space.paths[path]
        rest = {key: getattr(is_, key) for key in is_.model_fields_set if key != "origin"}
        if rest:
            only = Conditions(arguments={path: ArgumentIs(**rest)})
            truth = self._truth(only, lambda _: Facts(at_us=1), path, certain)
            parts.append(self._kept(f"{path} {is_.model_dump_json()} {certain}", axis, truth, certain))
        if is_.origin is not None:
            argument = space.arguments[f"path {path}"]
            wanted = origins_of(is_.origin)
            parts += [argument.present, argument.origin.one_of(lambda origin: origin in wanted)]
        return z3.And(parts)

    def _origins(self, name: str, wanted: frozenset[Any], certain: bool) -> Any:
        z3 = self._z3

        def meant(argument: Argument) -> Any:
            return z3.And(argument.present, argument.role.one_of(lambda role: in_role(role, name)))

        arguments = self._space.arguments.values()
        if certain:
            return z3.And([z3.Implies(meant(a), a.origin.one_of(lambda o: o in wanted)) for a in arguments])
        return z3.Or([z3.And(meant(a), a.origin.one_of(lambda o: o in wanted)) for a in arguments])

    def _marked(self, marks: dict[str, Any], globs: Sequence[str] | None, wanted: bool) -> Sequence[Any]:
        if globs is None:
            return ()
        patterns = Globs(tuple(globs))
        some = self._z3.Or([there for text, there in marks.items() if patterns.told(text) is not False])
        return (some if wanted else self._z3.Not(some),)

    def _truth(
        self, only: Conditions, facts: Callable[[Any], Facts], path: str = "", certain: bool = True
    ) -> Callable[[Any], Truth]:
        tests = checks(only, self._place.zone, allowing=certain)

        def truth(value: Any) -> Truth:
            arguments = nested({} if value is ABSENT or not path else {path: value})
            seen = Seen(replace(SOME_CALL, arguments=arguments, facts=facts(value)), SOME_TOOL)
            truths = [check.test(seen) for check in tests]
            return False if False in truths else None if None in truths else True

        return truth

    def _kept(self, name: str, axis: Axis, truth: Callable[[Any], Truth], certain: bool) -> Any:
        key = (name, str(axis.variable), certain)
        if key not in self._made:
            self._made[key] = axis.told(truth, certain=certain)
        return self._made[key]


class Allowing:
    """When one file allows a call, asks or denies: `enforced` rules only, as formulas with a name each."""

    def __init__(self, space: Space, policy: RulePolicy) -> None:
        z3 = space.z3
        formulas = Formulas(space, policy.place)
        rules = policy.rules
        self.space = space
        self.speaks: dict[str, Any] = {}
        self.definitions: dict[str, Any] = {}
        self._abouts: dict[tuple[bool, tuple[str, ...]], frozenset[tuple[bool, int]]] = {}
        self.rules: dict[str, Rule] = {rule.name: rule for rule in rules.rules if rule.mode is Mode.ENFORCE}
        for rule in self.rules.values():
            named = z3.Bool(f"{policy.version} speaks {rule.name}")
            self.speaks[rule.name] = named
            self.definitions[rule.name] = named == formulas.speaks(rule, certain=rule.then is Verdict.ALLOW)
        self._unsaid = space.is_model if rules.models is Verdict.ALLOW else z3.BoolVal(False)
        if policy.place.layer and rules.otherwise is not Verdict.DENY:
            self._unsaid = z3.BoolVal(True)
        self._observing = rules.mode is Mode.OBSERVE

    def near(self, rule: Conditions) -> list[Rule]:
        """Return the rules that may be about a tool or model that a rule is about too."""
        wanted = self._about(rule)
        return [other for other in self.rules.values() if not wanted.isdisjoint(self._about(other))]

    def said(self, rules: Sequence[Rule], *verdicts: Verdict) -> Any:
        """Return the formula that one of some rules speaks and says one of the verdicts."""
        return self.space.z3.Or([self.speaks[rule.name] for rule in rules if rule.then in verdicts])

    def allowed(self, rules: Sequence[Rule]) -> Any:
        """Return when a call is allowed that only these rules can be about."""
        z3 = self.space.z3
        if self._observing:
            return z3.BoolVal(True)
        allowed = z3.Or(self.said(rules, Verdict.ALLOW), self._unsaid)
        return z3.And(allowed, z3.Not(self.said(rules, Verdict.ASK, Verdict.DENY)))

    def passes(self, rules: Sequence[Rule]) -> Any:
        """Return when a call is allowed or asked that only these rules can be about."""
        z3 = self.space.z3
        if self._observing:
            return z3.BoolVal(True)
        said = z3.Or(self.said(rules, Verdict.ALLOW, Verdict.ASK), self._unsaid)
        return z3.And(said, z3.Not(self.said(rules, Verdict.DENY)))

    def _about(self, rule: Conditions) -> frozenset[tuple[bool, int]]:
        key = (rule.models is not None, rule.models or rule.tools)
        if key not in self._abouts:
            axis = self.space.model if rule.models is not None else self.space.name
            self._abouts[key] = frozenset([(key[0], index) for index in axis.fitting(key[1], certain=False)])
        return self._abouts[key]


def nested(paths: dict[str, Any]) -> dict[str, Any]:
    """Return arguments in which values stand at their paths; `*` becomes a list of one."""
    whole: dict[str, Any] = {}
    for path, value in paths.items():
        _put(whole, path.split("."), value)
    return whole


def _put(at: Any, parts: list[str], value: Any) -> None:
    while len(parts) > 1:
        part, parts = parts[0], parts[1:]
        below: Any = [] if parts[0] == "*" or parts[0].isdigit() else {}
        if isinstance(at, list):
            at.extend([below] if not at else [])
            at = at[0]
        else:
            at = at.setdefault(part, below)
    if isinstance(at, list):
        at.append(value)
    elif isinstance(at, dict):
        at[parts[0]] = value


def _number(z3: Any, value: Any) -> Any:
    return z3.RealVal(str(value))
