"""How many people must agree to a call, by what rules and settings say. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from airside.config.approvals import TwoPerson
from airside.core.patterns import fits_any
from airside.core.policy import Decision, Verdict
from airside.core.tool import Tool
from airside.policy.amounts import amount_of

UNREADABLE: Final = Decimal("Infinity")


def required(
    decision: Decision, settings: Sequence[TwoPerson], *, agent: str, tool: str, amount: Decimal | None
) -> int:
    """Return the number of different people; the most that any rule or setting wants.

    An amount that cannot be read (infinite) is above every sum; one without money (None) meets a setting without a sum.
    """
    asked = [reason.approvals for reason in decision.reasons if reason.verdict is Verdict.ASK]
    configured = [
        one.approvals
        for one in settings
        if fits_any(agent, one.agents)
        and fits_any(tool, one.tools)
        and (not one.above_usd or (amount or 0) > one.above_usd)
    ]
    return max([1, *asked, *configured])


def dollars(tool: Tool, arguments: Mapping[str, Any] | None) -> Decimal | None:
    """Return the dollars that a call moves; None for a tool without money, infinite if they cannot be read."""
    if not tool.amount_argument:
        return None
    read = amount_of(tool, arguments).dollars
    return UNREADABLE if read is None else read
