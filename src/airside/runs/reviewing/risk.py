"""Risk order: what a reviewer should look at first, as points and the reasons for them. Pure.

The queue is ordered by an instant: when a proposal was made, minus a minute for every point of risk. So what waits long
overtakes what is a little riskier, and the order of two proposals never changes, which is what lets pages be cut of it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from airside.core.call import Effect
from airside.core.clock import SECOND_US
from airside.core.policy import VOUCHED, Link
from airside.core.tool import CRITICAL

POINT_US: Final = 60 * SECOND_US
EFFECT: Final = {Effect.READ: 0, Effect.WRITE: 20, Effect.EXECUTE: 30}
IRREVERSIBLE: Final = 20
AMOUNT_EACH: Final = 10
AMOUNTS: Final = (Decimal(10), Decimal(100), Decimal(1_000), Decimal(10_000))
UNTRUSTED_EACH: Final = 15
UNTRUSTED_MAX: Final = 45
LEAVES: Final = 40
UNSURE: Final = 15


def factors(
    effect: Effect,
    *,
    reversible: bool,
    amount: Decimal | None,
    links: tuple[Link, ...] = (),
    leaves: tuple[str, ...] = (),
    unsure: bool = False,
) -> Mapping[str, int]:
    """Return the points of a proposal by reason. `amount` is in dollars; None is no money, infinite is unreadable."""
    critical = [link for link in links if not link.role or link.role in CRITICAL]
    untrusted = sum(link.origin not in VOUCHED for link in critical)
    points = {
        "effect": EFFECT[effect],
        "irreversible": 0 if reversible or effect is Effect.READ else IRREVERSIBLE,
        "amount": AMOUNT_EACH * sum(amount > step for step in AMOUNTS) if amount is not None else 0,
        "untrusted": min(UNTRUSTED_MAX, UNTRUSTED_EACH * untrusted),
        "leaves": LEAVES if leaves else 0,
        "unsure": UNSURE if unsure else 0,
    }
    return {name: value for name, value in points.items() if value}


def rank_us(requested_us: int, points: int) -> int:
    """Return the place in the queue: the least is looked at first."""
    return requested_us - points * POINT_US
