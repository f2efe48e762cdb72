"""How a call stands to a plan: which step it is, and what the step's constants say of its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from airside.core.call import Effect
from airside.core.policy import Link, Origin, Planned
from airside.core.tool import Tool
from airside.policy.plans.plan import Expected, Plan, PlanStep
from airside.policy.provenance import entities
from airside.policy.provenance.paths import Leaf, fits, leaves, split
from airside.policy.provenance.text import plain


class Standing(Struct, frozen=True):
    """Where a call stands; `step` is the index of its step, -1 for none; `links` are told what the plan vouches for."""

    planned: Planned
    links: tuple[Link, ...]
    step: int = -1


def concerns(tool: Tool) -> bool:
    """Whether plans are about calls of a tool: those with effects, and reads that tell somebody something."""
    return tool.effect is not Effect.READ or bool(tool.hosts)


def standing(plan: Plan | None, uses: Mapping[int, int], tool: Tool, arguments: Any, links: Sequence[Link]) -> Standing:
    """Return how a call stands. `uses` counts how often each step was used already, by its index."""
    if plan is None or not concerns(tool):
        return Standing(Planned.NO_PLAN, tuple(links))
    values = list(leaves(arguments))
    steps = [(index, step) for index, step in enumerate(plan.steps) if step.tool == tool.name]
    for index, step in sorted(steps, key=lambda pair: -pair[1].exactness):
        if uses.get(index, 0) < step.times and _fits(step, values, links):
            return Standing(Planned.INSIDE, tuple(_told(step, values, links)), index)
    return Standing(Planned.OUTSIDE if plan.closed else Planned.NO_PLAN, tuple(links))


def same(value: Any, constant: Any) -> bool:
    """Whether two scalars are the same thing, however they are written."""
    if isinstance(value, bool) or isinstance(constant, bool):
        return value is constant
    one, other = entities.of_value(value), entities.of_value(constant)
    if one is not None and one == other:
        return True
    return " ".join(plain(str(value)).split()) == " ".join(plain(str(constant)).split())


def _fits(step: PlanStep, values: Sequence[Leaf], links: Sequence[Link]) -> bool:
    by_name = {link.argument: link for link in links}
    for path, expected in step.arguments.items():
        pattern = split(path)
        for leaf in values:
            if fits(pattern, leaf.path) and not _meets(expected, leaf, by_name.get(leaf.name)):
                return False
    return True


def _meets(expected: Expected, leaf: Leaf, link: Link | None) -> bool:
    if expected.one_of is not None:
        return any(same(leaf.value, constant) for constant in expected.one_of)
    if link is None or link.origin not in (expected.origins or ()):
        return False
    if expected.fields is None or link.origin is not Origin.TRUSTED:
        return True
    place = split(link.field)
    return any(fits(split(field), place) for field in expected.fields)


def _told(step: PlanStep, values: Sequence[Leaf], links: Sequence[Link]) -> list[Link]:
    constants = [split(path) for path, expected in step.arguments.items() if expected.one_of is not None]
    vouched = {leaf.name for leaf in values if any(fits(pattern, leaf.path) for pattern in constants)}
    return [
        replace(link, origin=Origin.PLAN, source="plan", field=link.argument)
        if link.argument in vouched and link.origin is not Origin.PROMPT
        else link
        for link in links
    ]
