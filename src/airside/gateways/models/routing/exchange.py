"""What an answer of quality is worth: the rate at which dollars are given for quality, so that a floor is kept.

Spending least while the mean quality of the traffic stays above a floor is a knapsack; by Lagrange it is solved call by
call: choose the model with the least `cost + rate * (1 - quality)`. A higher rate buys more quality. The rate is chosen
on rows that the classifier was not trained on, as the lowest that keeps the floor there by a margin.
"""

from collections.abc import Iterator, Sequence
from math import inf, sqrt

from msgspec import Struct

RATES = 240
MARGIN = 1.0
"""Standard errors by which the floor is cleared on the rows it is chosen on."""


class Option(Struct, frozen=True):
    """One model's answer to one row: what it costs (nano-dollars), how good it is predicted, and was, or is thought."""

    cost: float
    predicted: float
    value: float


Row = Sequence[Option]
"""The options of a call; the last is the strongest model's."""


def best(options: Sequence[tuple[float, float]], rate: float) -> int:
    """Return the index of the cheapest of (cost, predicted quality) at an exchange rate; at `inf` the best, then last.

    Equal is for the cheaper, then for the later one.
    """
    if rate == inf:
        return max(range(len(options)), key=lambda index: (options[index][1], index))
    return min(
        range(len(options)), key=lambda index: (options[index][0] - rate * options[index][1], options[index][0], -index)
    )


class Kept(Struct, frozen=True):
    """What a rate would have come to: the cost saved against always-strongest, and the share of its quality kept."""

    rate: float
    saved: float
    quality: float
    strong_share: float


def kept(rows: Sequence[Row], rate: float) -> Kept:
    """Return what routing at a rate comes to over rows."""
    chosen = [_chosen(row, rate) for row in rows]
    strongest = [row[-1] for row in rows]
    cost, quality = sum(option.cost for option in strongest), sum(option.value for option in strongest)
    return Kept(
        rate=rate,
        saved=1.0 - sum(option.cost for option in chosen) / cost if cost else 0.0,
        quality=sum(option.value for option in chosen) / quality if quality else 1.0,
        strong_share=sum(one is two for one, two in zip(chosen, strongest, strict=True)) / len(rows) if rows else 1.0,
    )


def rate_for(rows: Sequence[Row], floor: float, *, margin: float = MARGIN) -> float:
    """Return the lowest rate that keeps `floor` of the strongest model's quality, by `margin` standard errors.

    It is `inf`, the strongest model for everything, if none does. The rows must be such as no classifier has learned.
    """
    for rate in rates(rows):
        if _clears(rows, rate, floor, margin):
            return rate
    return inf


def rates(rows: Sequence[Row]) -> Iterator[float]:
    """Yield rates to try, rising by equal factors, over six decades around the mean price of an answer."""
    cost = sum(row[-1].cost for row in rows) / len(rows) if rows else 0.0
    if cost > 0.0:
        yield from (cost * 10.0 ** (6.0 * step / RATES - 2.0) for step in range(RATES + 1))


def _clears(rows: Sequence[Row], rate: float, floor: float, margin: float) -> bool:
    surplus = [_chosen(row, rate).value - floor * row[-1].value for row in rows]
    count = len(surplus)
    mean = sum(surplus) / count
    variance = sum((value - mean) ** 2 for value in surplus) / max(count - 1, 1)
    return mean - margin * sqrt(variance / count) >= 0.0


def _chosen(row: Row, rate: float) -> Option:
    return row[best([(option.cost, option.predicted) for option in row], rate)]
