"""What a run's ledger and plan say of one call, as the facts that rules look at."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from airside.core.policy import Facts
from airside.core.tool import Tool
from airside.policy.plans.plan import Plan
from airside.policy.plans.standing import standing
from airside.policy.provenance.leaving import leaving
from airside.policy.provenance.ledger import Ledger


class Told(Struct, frozen=True):
    """Facts with provenance and plan added, and the step of the plan that the call would use (-1: none)."""

    facts: Facts
    step: int


def told(
    facts: Facts,
    ledger: Ledger,
    tool: Tool,
    arguments: Any,
    *,
    plan: Plan | None = None,
    uses: Mapping[int, int] | None = None,
    also_leaves: Sequence[str] = (),
) -> Told:
    """Return the facts of a call with what its run knows; `also_leaves` is what others saw leaving with it."""
    stands = standing(plan, uses or {}, tool, arguments, ledger.links(tool, arguments))
    leaves = dict.fromkeys((*facts.leaves, *leaving(ledger, tool, arguments), *also_leaves))
    taints = dict.fromkeys((*facts.taints, *ledger.taints))
    said = replace(facts, links=stands.links, planned=stands.planned, taints=tuple(taints), leaves=tuple(leaves))
    return Told(said, stands.step)
