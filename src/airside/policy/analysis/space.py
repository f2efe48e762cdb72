"""All calls that a policy tells apart, as axes with representative values, and conditions as formulas over them (z3).

Truth on an axis is found by asking the real conditions of each of its values, so that the formulas say what `decide`
does. Sums are arithmetic. A formula is made twice: certain (for rules that allow) and possible (for the others).
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from airside.core.call import Effect
from airside.core.errors import AirsideError, Code
from airside.core.policy import Origin, Planned
from airside.core.run import Role
from airside.core.tool import ArgumentRole, Tool
from airside.policy.analysis import representatives
from airside.policy.arguments import role_of
from airside.policy.conditions import ArgumentIs
from airside.policy.globs import Globs, fold
from airside.policy.rules import Conditions
from airside.policy.truth import Truth

STAGES = ("shadow", "alpha", "beta", "controlled", "general")
ROLES = (*[role.value for role in ArgumentRole], "")
ORIGINS = tuple(Origin)
MONEY = "the amount"
LAST = "\U0010ffff"  # sorts after whatever a name goes on with
CALLERS = tuple(Role)


def solver_module() -> Any:
    """Return z3; raises AirsideError `misconfigured` if the extra is not installed."""
    try:
        import z3
    except ImportError:
        raise AirsideError(
            Code.MISCONFIGURED, "z3 is not installed", advice="Install the extra: pip install 'airside[policy]'."
        ) from None
    return z3


class Axis:
    """One property of a call that takes one of some values."""

    def __init__(self, z3: Any, name: str, values: Sequence[Any]) -> None:
        self._z3 = z3
        self.values = values
        bits = max(1, (len(values) - 1).bit_length())
        self.variable = z3.BitVec(name, bits)
        full = len(values) == 2**bits
        self.domain = z3.BoolVal(True) if full else z3.ULT(self.variable, len(values))

    def one_of(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the formula that the value is one of those wanted."""
        return self.among([index for index, value in enumerate(self.values) if wanted(value)])

    def among(self, indices: Sequence[int]) -> Any:
        """Return the formula that the value is one of those at these places."""
        if len(indices) == len(self.values):
            return self._z3.BoolVal(True)
        if 2 * len(indices) > len(self.values):
            others = set(range(len(self.values))) - set(indices)
            return self._z3.And([self.variable != index for index in others])
        return self._z3.Or([self.variable == index for index in indices])

    def told(self, truth: Callable[[Any], Truth], *, certain: bool) -> Any:
        """Return the formula that a condition certainly, or possibly, holds of the value."""
        return self.one_of(lambda value: truth(value) is True if certain else truth(value) is not False)

    def value(self, model: Any) -> Any:
        """Return what the axis is in a model."""
        return self.values[min(model.eval(self.variable, model_completion=True).as_long(), len(self.values) - 1)]


class Texts(Axis):
    """A property that is text, in which patterns are looked up by how they begin."""

    def __init__(self, z3: Any, name: str, values: Sequence[str]) -> None:
        super().__init__(z3, name, sorted(values, key=fold))
        self._folded = [fold(value) for value in self.values]
        self._found: dict[tuple[str, ...], tuple[frozenset[int], frozenset[int]]] = {}

    def fitting(self, globs: tuple[str, ...], *, certain: bool) -> frozenset[int]:
        """Return the places of the values that certainly, or possibly, fit one of some patterns."""
        if globs not in self._found:
            surely: set[int] = set()
            maybe: set[int] = set()
            for glob in globs:
                prefix, patterns = fold(_literal(glob)), Globs((glob,))
                first = bisect_left(self._folded, prefix)
                for index in range(first, bisect_left(self._folded, prefix + LAST)):
                    truth = patterns.told(self.values[index])
                    if truth is not False:
                        maybe.add(index)
                        surely |= {index} if truth else set()
            self._found[globs] = frozenset(surely), frozenset(maybe)
        return self._found[globs][0 if certain else 1]

    def fits(self, globs: tuple[str, ...], *, certain: bool) -> Any:
        """Return the formula that the value certainly, or possibly, fits one of some patterns."""
        return self.among(sorted(self.fitting(globs, certain=certain)))


class Argument:
    """An argument as provenance sees it: there or not, in a role, from an origin."""

    def __init__(self, z3: Any, name: str, present: Any, role: str | None) -> None:
        self.present = present
        self.origin = Axis(z3, f"origin of {name}", ORIGINS)
        self.role = Axis(z3, f"role of {name}", ROLES if role is None else (role,))


class Space:
    """The axes that some rules span. `tools` is the catalogue, as far as it is known."""

    def __init__(self, rules: Iterable[Conditions], tools: Mapping[str, Tool]) -> None:
        self.z3 = z3 = solver_module()
        known = list(rules)
        self.tools = tools
        self.exact = True
        self.name = Texts(
            z3, "tool", self._texts([(*r.tools, *(r.but_not or ())) for r in known if r.models is None], tools)
        )
        self.model = Texts(z3, "model", self._texts([r.models for r in known if r.models], ()))
        self.agent = Texts(z3, "agent", self._texts([r.agents for r in known if r.agents], ()))
        self.tenant = Texts(z3, "tenant", self._texts([r.tenants for r in known if r.tenants], ()))
        self.effect = Axis(z3, "effect", tuple(Effect))
        self.stage = Axis(z3, "stage", STAGES)
        self.caller = Axis(z3, "caller", CALLERS)
        self.planned = Axis(z3, "planned", tuple(Planned))
        self.is_model, self.reversible, self.declared = z3.Bools("is_model reversible declared")
        self.amount_known, self.amount = z3.Bool("amount_known"), z3.Real("amount")
        bounds = [bound for rule in known if rule.confidence for bound in rule.confidence.bounds]
        self.confidence = Axis(z3, "confidence", [None, *_shares(bounds)])
        self.risk = Axis(z3, "risk", _shares([bound for rule in known if rule.risk for bound in rule.risk.bounds]))
        self.instant = Axis(z3, "instant", instants(known))
        self.taints = self._marks("taint", [g for r in known if r.taints for g in _globs_of_taints(r)])
        self.leaves = self._marks("leaves", [g for r in known if r.leaves for g in _globs_of_leaves(r)])
        self.paths = self._paths(known)
        self.arguments = self._arguments()
        self.moved: dict[str, Any] = {}
        windows = [window for rule in known for window in (rule.sum, rule.count) if window is not None]
        self.principals = {w.by.partition(".")[2] for w in windows if w.by.startswith("principal.")}

    def sum_of(self, window: str) -> Any:
        """Return the variable of how a sum stands."""
        if window not in self.moved:
            self.moved[window] = self.z3.Int(f"moved {window}")
        return self.moved[window]

    @cached_property
    def domain(self) -> Any:
        """What holds of every call."""
        z3 = self.z3
        axes = [self.name, self.model, self.agent, self.tenant, self.effect, self.stage, self.caller, self.planned]
        axes += [self.confidence, self.risk, self.instant, *self.paths.values()]
        axes += [axis for argument in self.arguments.values() for axis in (argument.origin, argument.role)]
        said = [axis.domain for axis in axes] + [self.amount >= 0, self.amount <= 2_000_000_000]
        for index, name in enumerate(self.name.values):
            tool = self.tools.get(name)
            if tool is not None:
                said.append(z3.Implies(self.name.variable == index, z3.And(self._manifest(tool))))
        return z3.And(said)

    def _manifest(self, tool: Tool) -> list[Any]:
        said = [
            self.effect.one_of(lambda effect: effect is tool.effect),
            self.reversible == tool.reversible,
            self.declared == tool.declared,
        ]
        if not tool.amount_argument:
            said.append(self.z3.Not(self.amount_known))
        roles = {str(role) for role in tool.roles.values()}
        said += [self.z3.Not(self.arguments[role].present) for role in ROLES if role and role not in roles]
        for path in [*self.paths, tool.amount_argument]:
            role = role_of(tool, path) or ""
            argument = self.arguments[MONEY if path == tool.amount_argument else f"path {path}"]
            said.append(argument.role.one_of(frozenset((role,)).__contains__))
        return said

    def _texts(self, patterns: Iterable[Sequence[str] | None], names: Iterable[str]) -> list[str]:
        globs = {glob for several in patterns for glob in several or ()}
        self.exact &= representatives.told_exactly(globs)
        return list(dict.fromkeys([*names, *representatives.texts(globs)]))

    def _marks(self, kind: str, globs: Sequence[str]) -> dict[str, Any]:
        return {text: self.z3.Bool(f"{kind} {text}") for text in representatives.texts(globs)}

    def _paths(self, rules: Sequence[Conditions]) -> dict[str, Axis]:
        said: dict[str, list[ArgumentIs]] = {}
        for rule in rules:
            for path, is_ in (rule.arguments or {}).items():
                said.setdefault(path, []).append(is_)
            for window in (rule.sum, rule.count):
                if window is not None and window.by.startswith("argument."):
                    said.setdefault(window.by.partition(".")[2], [])
        return {path: Axis(self.z3, f"argument {path}", representatives.values(all_)) for path, all_ in said.items()}

    def _arguments(self) -> dict[str, Argument]:
        made = {role: Argument(self.z3, f"role {role}", self.z3.Bool(f"present {role}"), role) for role in ROLES}
        made[MONEY] = Argument(self.z3, MONEY, self.amount_known, None)
        for path, axis in self.paths.items():
            there = axis.one_of(lambda value: value is not representatives.ABSENT)
            made[f"path {path}"] = Argument(self.z3, path, there, None)
        return made


def instants(rules: Iterable[Conditions]) -> list[int]:
    """Return instants (µs) within one week on both sides of every border of the rules' hours."""
    start_s = 1_767_571_200  # Monday, 2026-01-05T00:00Z: a week without a change of clocks
    week = range(start_s, start_s + 7 * 86_400, 900)
    found = {start_s + 12 * 3_600}
    hours = [rule.time for rule in rules if rule.time is not None]
    if hours:
        odd = {m % 15 for hour in hours for m in hour.minutes or () if m % 15}
        found.update(week)
        found.update([at + minute * 60 for at in week for minute in odd])
    return [at * 1_000_000 for at in sorted(found)]


def _literal(glob: str) -> str:
    return re.split(r"[*?]", glob, maxsplit=1)[0]


def _shares(bounds: Iterable[float]) -> list[float]:
    """Return shares from 0 to 1 on and between some bounds."""
    edges = sorted({0.0, 1.0, *bounds})
    return [*edges, *[(one + other) / 2 for one, other in pairwise(edges)]]


def _globs_of_taints(rule: Conditions) -> Sequence[str]:
    return [*(rule.taints.any_of or ()), *(rule.taints.none_of or ())] if rule.taints else []


def _globs_of_leaves(rule: Conditions) -> Sequence[str]:
    return list(rule.leaves) if isinstance(rule.leaves, tuple) else ["x: secret x"]
