"""The escalation chain: which people may decide, from when on. Pure.

The first `step` steps of the chain are reached; those from `floor` on may decide. A call that goes to a higher step at
once (its agent is not sure enough) has a floor above the first. An installation without a chain has one group: everyone
with the role of a reviewer.
"""

from collections.abc import Sequence

from msgspec import Struct

from airside.config.approvals import EscalationStep
from airside.core.clock import SECOND_US
from airside.core.run import Role

_RANK = {Role.REVIEWER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


class Person(Struct, frozen=True):
    """Who decides. People are told apart by the names of their keys; `key_id` is the very key, or `link`."""

    name: str
    key_id: str = ""
    role: Role = Role.REVIEWER


class Place(Struct, frozen=True):
    """Where an approval stands in the chain; `escalate_us` is when the next step is reached."""

    step: int
    floor: int
    escalate_us: int | None


def begin(chain: Sequence[EscalationStep], requested_us: int, *, escalated: bool) -> Place:
    """Return where a new approval stands. An escalated one goes past the steps that begin at once."""
    reached = sum(step.after_s <= 0 for step in chain)
    if escalated and reached < len(chain):
        return Place(reached + 1, reached, due_us(chain, requested_us, reached + 1))
    return Place(reached, 0, due_us(chain, requested_us, reached))


def due_us(chain: Sequence[EscalationStep], requested_us: int, step: int) -> int | None:
    """Return when the step after `step` steps is reached; None after the last."""
    return requested_us + int(chain[step].after_s * SECOND_US) if step < len(chain) else None


def admits(chain: Sequence[EscalationStep], step: int, floor: int, person: Person) -> bool:
    """Return whether a person may decide on what stands there."""
    groups = chain[min(floor, len(chain)) : step]
    if not groups:
        return person.role in _RANK
    return any(_in(group, person) for group in groups)


def _in(group: EscalationStep, person: Person) -> bool:
    named = not group.reviewers or person.name in group.reviewers
    return named and _RANK.get(person.role, 0) >= _RANK[Role(group.role)]
