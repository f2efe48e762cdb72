"""Questions to the solver about policies, each bounded in time and each answer put to the real rules."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from airside.core.policy import Decision, Verdict
from airside.core.tool import Tool
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.formulas import Allowing, Formulas
from airside.policy.analysis.models import written
from airside.policy.analysis.shrinking import shrunk
from airside.policy.analysis.space import Space
from airside.policy.decision import RulePolicy
from airside.policy.layers import LayeredPolicy, Layers
from airside.policy.rules import Conditions, Rule, Rules
from airside.policy.windows import Place

USELESS_MS = 2_000
FIND_MS = 15_000
TRIES_MAX = 12
Near = Sequence[Sequence[Rule]]
"""For each policy the rules that matter to a question."""


class Answer(Struct, frozen=True):
    """What is known of whether some call exists: an example that was put to the rules, a proof, or neither."""

    example: WrittenCall | None = None
    proved: bool = False


class Question:
    """A space of calls, and the formulas of some policies over it. Every question gets a small solver of its own."""

    def __init__(
        self,
        policies: Sequence[RulePolicy],
        tools: Mapping[str, Tool],
        more: Iterable[Conditions] = (),
        *,
        budget_s: float,
    ) -> None:
        rules: list[Conditions] = [rule for policy in policies for rule in policy.rules.rules]
        self._deadline_s = time.monotonic() + budget_s
        self.space = Space([*rules, *more], tools)
        self.sides = [Allowing(self.space, policy) for policy in policies]
        self.formulas = [Formulas(self.space, policy.place) for policy in policies]
        self.tools = tools
        self._positive: list[Any] = []

    def holds_nowhere(self, near: Near, *formulas: Any) -> bool | None:
        """Return whether no call fulfils all formulas; None if that was not found out in time."""
        z3 = self.space.z3
        said = self._asked(self._solver(near, formulas), USELESS_MS)
        return None if said == z3.unknown else said == z3.unsat

    def surely_nowhere(self, near: Near, formulas: Sequence[Any]) -> bool:
        """Whether it was found out that no call fulfils the formulas, in all classes of names that are known."""
        return self.holds_nowhere(near, *formulas) is True

    def why_not(self, near: Near, formula: Any, names: Mapping[str, Any]) -> Sequence[str]:
        """Return names of formulas that together leave no room for one that would else hold somewhere."""
        z3 = self.space.z3
        solver = self._solver(near, [formula])
        back = {str(named): name for name, named in names.items()}
        if self._asked(solver, USELESS_MS, [z3.Not(named) for named in names.values()]) != z3.unsat:
            return ()
        core = [str(part.arg(0)) for part in solver.unsat_core() if part.num_args() == 1]
        return [back[name] for name in core if name in back]

    def find(self, near: Near, formulas: Sequence[Any], fits: Callable[[WrittenCall], bool]) -> Answer:
        """Return a call that fulfils the formulas and, put to the real rules, `fits`."""
        z3 = self.space.z3
        solver = self._solver(near, formulas)
        for tries in range(TRIES_MAX):
            said = self._asked(solver, FIND_MS)
            if said != z3.sat:
                return Answer(proved=said == z3.unsat and tries == 0 and self.space.exact)
            model = solver.model()
            call = written(self.space, model)
            if fits(call):
                return Answer(example=shrunk(call, fits))
            solver.add(self._another(model))
        return Answer()

    def _solver(self, near: Near, formulas: Sequence[Any]) -> Any:
        """Return a solver that knows of every call, and of the rules that matter to the question."""
        solver = self.space.z3.Solver()
        solver.add(self.space.domain, *self._sums())
        for side, rules in zip(self.sides, near, strict=True):
            solver.add(*[side.definitions[rule.name] for rule in rules])
        solver.add(*formulas)
        return solver

    def _sums(self) -> Sequence[Any]:
        """Return that no sum is negative."""
        while len(self._positive) < len(self.space.moved):
            moved = list(self.space.moved.values())[len(self._positive)]
            self._positive.append(moved >= 0)
        return self._positive

    def _another(self, model: Any) -> Any:
        """Return what a model that does not survive the real rules must not look like again."""
        space, z3 = self.space, self.space.z3
        axes = [space.name, *space.paths.values(), *[argument.role for argument in space.arguments.values()]]
        return z3.Or([axis.variable != model.eval(axis.variable, model_completion=True) for axis in axes])

    def _asked(self, solver: Any, most_ms: int, formulas: Sequence[Any] = ()) -> Any:
        left_ms = int((self._deadline_s - time.monotonic()) * 1_000)
        if left_ms <= 0:
            return self.space.z3.unknown
        solver.set("timeout", min(most_ms, left_ms))
        return solver.check(*formulas)


def alone(policy: RulePolicy) -> LayeredPolicy:
    """Return one file's policy as layers."""
    return LayeredPolicy(Layers(policy))


def holds(condition: Conditions, call: WrittenCall, tools: Mapping[str, Tool], place: Place) -> bool:
    """Whether conditions hold of a call, as they would in a rule that denies."""
    said = {key: getattr(condition, key) for key in condition.model_fields_set if key in Conditions.model_fields}
    rule = Rule(name="never", then=Verdict.DENY, **said)
    decision: Decision = call.decided(alone(RulePolicy(Rules(rules=(rule,)), place)), tools)
    return any(reason.rule == "never" for reason in decision.reasons)
