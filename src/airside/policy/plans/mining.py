"""Mining: what runs that went well had in common, as a plan for a person to review.

A mined plan is open: it says what is usual, and nothing of anything else. Values that nobody vouched for are never
learned: a call that a person had to approve stays one that a person has to approve.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from airside.core.policy import VOUCHED, Link, Origin
from airside.core.tool import CRITICAL, ArgumentRole, Tool
from airside.policy.plans.plan import Expected, Plan, PlanStep
from airside.policy.plans.standing import concerns, same
from airside.policy.provenance.paths import leaves

CONSTANT_RUNS_MIN: Final = 3
"""In how many runs an argument must have had the same value before that value counts as fixed."""


class Observed(Struct, frozen=True):
    """A call that a run made: what it was, and where its arguments came from."""

    tool: Tool
    arguments: Any
    links: Sequence[Link]


def mine(runs: Iterable[Sequence[Observed]]) -> Plan:
    """Return an open plan of all that the runs did: per tool how often at most, and where arguments came from."""
    times: Counter[str] = Counter()
    calls: dict[str, list[tuple[int, Observed]]] = {}
    for number, run in enumerate(runs):
        made = [call for call in run if concerns(call.tool)]
        for name, count in Counter(call.tool.name for call in made).items():
            times[name] = max(times[name], count)
        for call in made:
            calls.setdefault(call.tool.name, []).append((number, call))
    steps = [
        PlanStep(tool=name, times=times[name], arguments=_arguments(observed))
        for name, observed in sorted(calls.items())
    ]
    return Plan(closed=False, steps=tuple(step for step in steps if _can_be_met(step)))


def _arguments(observed: Sequence[tuple[int, Observed]]) -> dict[str, Expected]:
    seen: dict[str, list[tuple[int, Any, Link]]] = {}
    for number, call in observed:
        links = {link.argument: link for link in call.links}
        for leaf in leaves(call.arguments):
            if leaf.name in links:
                path = ".".join("*" if step.isdigit() else step for step in leaf.path)
                seen.setdefault(path, []).append((number, leaf.value, links[leaf.name]))
    found = {path: _expected(values) for path, values in sorted(seen.items())}
    return {path: expected for path, expected in found.items() if expected is not None}


def _expected(values: Sequence[tuple[int, Any, Link]]) -> Expected | None:
    first = values[0][1]
    role = values[0][2].role
    if len({number for number, *_ in values}) >= CONSTANT_RUNS_MIN and all(
        same(value, first) for _, value, *_ in values
    ):
        return Expected(one_of=(first,))
    if role and ArgumentRole(role) not in CRITICAL:
        return None
    origins = sorted({link.origin for _, _, link in values if link.origin in VOUCHED})
    fields = sorted({_field(link) for _, _, link in values if link.origin is Origin.TRUSTED})
    return Expected.model_validate({"from": origins, "fields": fields or None})


def _field(link: Link) -> str:
    return ".".join("*" if step.isdigit() else step for step in link.field.split("."))


def _can_be_met(step: PlanStep) -> bool:
    return all(expected.one_of or expected.origins for expected in step.arguments.values())
