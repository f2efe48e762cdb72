"""How a call is told that a budget stops it: which one, by how much, and what to do."""

from airside.core.budget import Blocked, Exhausted
from airside.core.call import Call
from airside.core.errors import Code
from airside.core.money import NanoUsd, show
from airside.pipeline.refusal import Refusal

_UNITS = {"tokens": "tokens", "calls": "calls", "turn_tool_calls": "tool calls in this turn"}


def used_up(call: Call, exhausted: Exhausted) -> Refusal:
    """Return the refusal of a call for which a budget node has too little left."""
    limit, spent = (_amount(exhausted.dimension, value) for value in (exhausted.limit, exhausted.spent))
    return Refusal(
        call,
        Code.BUDGET_EXHAUSTED,
        f"budget {exhausted.node} allows {limit}; {spent} are spent and this call needs more than is left",
        details={
            "node": exhausted.node,
            "dimension": exhausted.dimension,
            "limit": exhausted.limit,
            "spent": exhausted.spent,
        },
    )


def held_by_others(call: Call, blocked: Blocked, waited_s: float) -> Refusal:
    """Return the refusal of a call that waited in vain for what other calls have reserved."""
    return Refusal(
        call,
        Code.BUDGET_EXHAUSTED,
        f"other calls hold what is left of budget {blocked.node} ({blocked.dimension}); waited {waited_s:g} s",
        advice="Make fewer calls at once, lower their maximum of output tokens, or raise the budget's limit.",
        details={"node": blocked.node, "dimension": blocked.dimension},
    )


def _amount(dimension: str, value: int) -> str:
    return show(NanoUsd(value)) if dimension == "usd" else f"{value} {_UNITS[dimension]}"
