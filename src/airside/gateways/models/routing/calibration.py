"""From scores to probabilities that mean what they say: a straight line in log-odds, fitted by Newton's method.

Source: Platt, Probabilistic Outputs for Support Vector Machines (1999), with his shrunken targets. It is fitted on
predictions for rows that the classifier was not trained on. Isotonic regression was tried: its steps tie prompts whose
order matters when two models' qualities are compared, and cost 3 points of area (docs/routing.md).
"""

from collections.abc import Sequence
from math import exp, log, log1p

from msgspec import Struct

from airside.gateways.models.routing.linear import sigmoid

STEPS_MAX = 50
LOGIT_MAX = 30.0
_ENOUGH = 1e-9
_RIDGE = 1e-3  # keeps the line defined where all scores are alike


class Line(Struct, frozen=True):
    """Log-odds of a yes, as a line over the score. A slope below 0 would say that the score knows nothing: it is 0."""

    slope: float
    offset: float

    def __call__(self, logit: float) -> float:
        """Return the probability of a yes at a score."""
        return sigmoid(max(-LOGIT_MAX, min(LOGIT_MAX, self.slope * logit + self.offset)))


def line(logits: Sequence[float], targets: Sequence[float]) -> Line:
    """Return the line that fits (score, target) points best; ValueError without any."""
    if not logits:
        raise ValueError("nothing to calibrate with")
    count = len(targets)
    wanted = [(target * count + 1.0) / (count + 2.0) for target in targets]
    slope, offset = 1.0, 0.0
    loss = _loss(logits, wanted, slope, offset)
    for _ in range(STEPS_MAX):
        by_slope, by_offset = _step(logits, wanted, slope, offset)
        size, better = 1.0, loss
        while size > _ENOUGH:  # Newton's full step can overshoot; a part of it always descends
            better = _loss(logits, wanted, slope - size * by_slope, offset - size * by_offset)
            if better < loss:
                break
            size /= 2.0
        else:
            break
        slope, offset = slope - size * by_slope, offset - size * by_offset
        if loss - better < _ENOUGH * count:
            break
        loss = better
    if slope <= 0.0:
        mean = sum(wanted) / count
        return Line(0.0, _logit(mean))
    return Line(slope, offset)


def _step(logits: Sequence[float], wanted: Sequence[float], slope: float, offset: float) -> tuple[float, float]:
    """Return Newton's step for slope and offset."""
    by_slope, by_offset = _RIDGE * (slope - 1.0), 0.0
    both, twice_slope, twice_offset = 0.0, _RIDGE, _RIDGE
    for logit, target in zip(logits, wanted, strict=True):
        share = sigmoid(slope * logit + offset)
        error, weight = share - target, share * (1.0 - share)
        by_slope += error * logit
        by_offset += error
        twice_slope += weight * logit * logit
        both += weight * logit
        twice_offset += weight
    determinant = twice_slope * twice_offset - both * both
    return (
        (twice_offset * by_slope - both * by_offset) / determinant,
        (twice_slope * by_offset - both * by_slope) / determinant,
    )


def _loss(logits: Sequence[float], wanted: Sequence[float], slope: float, offset: float) -> float:
    """Return the negative log-likelihood, without overflow."""
    total = 0.5 * _RIDGE * (slope - 1.0) ** 2
    for logit, target in zip(logits, wanted, strict=True):
        odds = slope * logit + offset
        total += max(odds, 0.0) - odds * target + log1p(exp(-abs(odds)))
    return total


def _logit(share: float) -> float:
    return log(share / (1.0 - share))
