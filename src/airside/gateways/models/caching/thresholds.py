"""How similar a question must be before an entry may answer it: learned from which answers turned out to be right.

After vCache (arXiv 2502.03771): for every entry a logistic model tells how probable it is that its answer is right for
a question of some similarity, and the entry answers only where the probability is, with confidence, above the bound on
errors; else the model is asked and its answer compared, which is a further observation. Unlike there, the entry begins
with what its tenant's other entries have shown (the pool), and with a prior that makes the configured similarity
exactly the threshold of a tenant without evidence: D17's 0.95 is where learning starts, in either direction.

Bayesian logistic regression with two coefficients in x = (similarity - start) / 0.05; each observation updates mean
and covariance by Laplace's method along its own direction (one scalar root, one rank-one step).
"""

import math
from collections.abc import Iterable

from msgspec import Struct

CONFIDENCE_Z = 1.645
"""One-sided 95 %."""

STEP = 0.05
POOL_VARIANCE, ENTRY_VARIANCE = 0.75, 0.25
SLOPE, SLOPE_VARIANCE = 1.5, 0.25
TRIALS_MAX = 64
"""Observations that an entry keeps; the oldest leave."""

NEVER = 1.01
"""A threshold that no similarity reaches."""


class Trial(Struct, frozen=True, array_like=True):
    """One observation: at this similarity the entry's answer was right, or not."""

    similarity: float
    right: bool


class Belief(Struct, frozen=True):
    """A normal distribution over the level (log-odds of being right at the starting similarity) and the slope."""

    level: float
    slope: float
    var_level: float
    covariance: float
    var_slope: float
    observations: int = 0
    wrong: int = 0

    def observed(self, x: float, *, right: bool) -> "Belief":
        """Return the belief after one more observation at x."""
        towards = (self.var_level + self.covariance * x, self.covariance + self.var_slope * x)
        spread = towards[0] + towards[1] * x
        middle = self.level + self.slope * x
        shift = _root(middle, spread, 1.0 if right else 0.0)
        p = _logistic(middle + spread * shift)
        weight = p * (1 - p)
        shrink = weight / (1 + spread * weight)
        return Belief(
            level=self.level + towards[0] * shift,
            slope=max(0.0, self.slope + towards[1] * shift),
            var_level=self.var_level - shrink * towards[0] * towards[0],
            covariance=self.covariance - shrink * towards[0] * towards[1],
            var_slope=self.var_slope - shrink * towards[1] * towards[1],
            observations=self.observations + 1,
            wrong=self.wrong + (not right),
        )

    def surely(self, x: float) -> float:
        """Return the probability of being right at x that is exceeded with confidence."""
        deviation = math.sqrt(max(0.0, self.var_level + 2 * x * self.covariance + x * x * self.var_slope))
        return _logistic(self.level + self.slope * x - CONFIDENCE_Z * deviation)


class Thresholds(Struct, frozen=True):
    """The rule: `start` is the similarity demanded without evidence, `errors_max` the bound on wrong answers."""

    start: float
    errors_max: float

    def prior(self) -> Belief:
        """Return what is believed of a tenant of which nothing is known."""
        certain = math.log((1 - self.errors_max) / self.errors_max)
        level = certain + CONFIDENCE_Z * math.sqrt(POOL_VARIANCE + ENTRY_VARIANCE)
        return Belief(level, SLOPE, POOL_VARIANCE, 0.0, SLOPE_VARIANCE)

    def observed(self, pool: Belief, trial: Trial) -> Belief:
        """Return the pool after one more observation of any of its entries."""
        return pool.observed(self._x(trial.similarity), right=trial.right)

    def entry(self, pool: Belief, trials: Iterable[Trial]) -> Belief:
        """Return the belief about one entry: the pool's, a little less certain, and what the entry itself has shown."""
        belief = Belief(pool.level, pool.slope, pool.var_level + ENTRY_VARIANCE, pool.covariance, pool.var_slope)
        for trial in trials:
            belief = belief.observed(self._x(trial.similarity), right=trial.right)
        return belief

    def serves(self, belief: Belief, similarity: float) -> bool:
        """Whether an entry may answer a question of that similarity."""
        return similarity >= self.threshold(belief) - 1e-9

    def threshold(self, belief: Belief) -> float:
        """Return the lowest similarity from which on the entry may answer; NEVER if there is none."""
        if belief.surely(self._x(1.0)) < 1 - self.errors_max:
            return NEVER
        low, high = self.start - 0.2, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            if belief.surely(self._x(middle)) >= 1 - self.errors_max:
                high = middle
            else:
                low = middle
        return high

    def _x(self, similarity: float) -> float:
        return (similarity - self.start) / STEP


def _logistic(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-min(value, 700)))
    odds = math.exp(max(value, -700))
    return odds / (1 + odds)


def _root(middle: float, spread: float, outcome: float) -> float:
    """Return t with t = outcome - logistic(middle + spread * t), the posterior mode along the observation."""
    low, high = outcome - 1.0, outcome
    for _ in range(50):
        t = (low + high) / 2
        if outcome - _logistic(middle + spread * t) > t:
            low = t
        else:
            high = t
    return (low + high) / 2
