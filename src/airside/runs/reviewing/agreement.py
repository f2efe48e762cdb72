"""How many people must agree to a call, by what rules and settings say. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from fnmatch import fnmatchcase

from airside.config.approvals import TwoPerson
from airside.core.policy import Decision, Verdict


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
        if _any(one.agents, agent) and _any(one.tools, tool) and (not one.above_usd or (amount or 0) > one.above_usd)
    ]
    return max([1, *asked, *configured])


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
