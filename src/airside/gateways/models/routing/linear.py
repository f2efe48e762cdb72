"""Logistic regression over sparse vectors, in plain Python: weights for hashed features, learned by SGD.

Source: Bottou, Stochastic Gradient Descent Tricks (2012): steps shrink as 1 / (1 + penalty * step * t), and the weights
are kept as `scale * v`, so that the L2 penalty costs one multiplication a step. Same rows, same seed: same weights. On
7,658 prompts it ranks as well as an exact solver (docs/routing.md) and needs a second for 4,000 rows.
"""

from array import array
from collections.abc import Callable, Sequence
from math import exp
from random import Random

from msgspec import Struct

from airside.gateways.models.routing.features import BUCKETS, Vector

EPOCHS = 12
STEP = 4.0  # first step; vectors have length 1
BIAS_STEP = 0.05  # of the step: the bias is seen by every row and would swing
SCALE_MIN = 1e-3  # below, the scale is folded into the weights


class Linear(Struct, frozen=True):
    """A linear classifier: a bias and one weight per bucket."""

    bias: float
    weights: "array[float]"

    def logit(self, vector: Vector) -> float:
        """Return the log-odds of a yes."""
        weights = self.weights
        return self.bias + sum([weights[bucket] * value for bucket, value in vector.items()])


def sigmoid(logit: float) -> float:
    """Return the probability of log-odds, without overflow."""
    if logit >= 0:
        return 1.0 / (1.0 + exp(-logit))
    odds = exp(logit)
    return odds / (1.0 + odds)


def fit(
    vectors: Sequence[Vector],
    targets: Sequence[float],
    *,
    strength: float = 0.5,
    seed: int = 0,
    tick: Callable[[], None] | None = None,
) -> Linear:
    """Return the classifier of `targets` (each 0 to 1), with the L2 penalty 1 / (strength * rows).

    `tick` is called between epochs; it may raise to give up.
    """
    rows = len(vectors)
    penalty = 1.0 / (strength * max(rows, 1))
    weights = [0.0] * BUCKETS
    scale, bias, step_number = 1.0, _prior(targets), 0
    order, random = list(range(rows)), Random(seed)  # noqa: S311 - an order of rows is no secret
    items = [tuple(vector.items()) for vector in vectors]
    for _ in range(EPOCHS):
        random.shuffle(order)
        for row in order:
            step = STEP / (1.0 + penalty * STEP * step_number)
            step_number += 1
            dot = 0.0
            for bucket, value in items[row]:
                dot += weights[bucket] * value
            push = step * (targets[row] - sigmoid(bias + scale * dot))
            scale *= 1.0 - step * penalty
            change = push / scale
            for bucket, value in items[row]:
                weights[bucket] += change * value
            bias += BIAS_STEP * push
        if tick is not None:
            tick()
        if scale < SCALE_MIN:
            weights, scale = [weight * scale for weight in weights], 1.0
    return Linear(bias, array("f", [weight * scale for weight in weights]))


def _prior(targets: Sequence[float]) -> float:
    """Return a bias to begin with that is right in sign."""
    return 0.0 if not targets else 2.0 * (sum(targets) / len(targets)) - 1.0
