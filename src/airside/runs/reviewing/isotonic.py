"""Isotonic regression of outcomes on confidence, and how reliable a confidence is. Pure.

Pool adjacent violators (Ayer et al. 1955; Zadrozny and Elkan 2002 for calibration). Three things make it careful,
because it can unlock automation: a block has at least BLOCK_MIN samples, its value is (k + 1) / (n + 2) (Laplace), and
between two blocks the lower one counts, with nothing below the least confidence that was ever seen.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

BLOCK_MIN: Final = 10
BINS: Final = 10


class Sample(Struct, frozen=True):
    """One decision: the confidence and whether the call was good."""

    said: float
    good: bool


class Block(Struct, frozen=True):
    """A stretch of the curve: the least confidence in it, its samples, and how many of them were good."""

    least: float
    count: int
    good: float

    @property
    def value(self) -> float:
        """The share of good ones, as careful as the number of samples demands."""
        return (self.good + 1) / (self.count + 2)

    @property
    def share(self) -> float:
        """The share of good ones as observed."""
        return self.good / self.count

    def joined(self, after: "Block") -> "Block":
        """Return this block and the one after it as one."""
        return Block(self.least, self.count + after.count, self.good + after.good)


class Curve(Struct, frozen=True):
    """A step function that never falls."""

    blocks: tuple[Block, ...]

    def at(self, confidence: float) -> float:
        """Return what a confidence is worth."""
        place = bisect_right([block.least for block in self.blocks], confidence)
        return self.blocks[place - 1].value if place else 0.0


def fit(samples: Sequence[Sample], *, samples_min: int) -> Curve | None:
    """Return the curve, or None where there are too few samples."""
    if len(samples) < max(samples_min, BLOCK_MIN):
        return None
    ordered = sorted(samples, key=lambda sample: sample.said)
    groups = [list(group) for _, group in groupby(ordered, key=lambda sample: sample.said)]
    blocks = [Block(group[0].said, len(group), sum(sample.good for sample in group)) for group in groups]
    pooled = _pooled(blocks, lambda before, after: before.share >= after.share)
    large = _pooled(pooled, lambda before, _: before.count < BLOCK_MIN)
    if len(large) > 1 and large[-1].count < BLOCK_MIN:
        large[-2:] = [large[-2].joined(large[-1])]
    return Curve(tuple(_pooled(large, lambda before, after: before.value > after.value)))


def _pooled(blocks: Sequence[Block], violates: Any) -> list[Block]:
    """Join neighbours as long as two of them violate an order."""
    found: list[Block] = []
    for block in blocks:
        found.append(block)
        while len(found) > 1 and violates(found[-2], found[-1]):
            found[-2:] = [found[-2].joined(found[-1])]
    return found


def reliability(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return a reliability diagram: ten bins, Brier score and expected calibration error (null without samples).

    Brier (1950); ECE with equal-width bins (Guo et al. 2017). A bin holds its lower edge, the last one also 1.
    """
    bins: list[list[Sample]] = [[] for _ in range(BINS)]
    for sample in samples:
        bins[min(BINS - 1, int(sample.said * BINS))].append(sample)
    rows = [_bin(number, inside) for number, inside in enumerate(bins)]
    total = len(samples)
    error = sum(row["samples"] * abs(row["good"] - row["said"]) for row in rows if row["samples"])
    brier = sum((sample.said - sample.good) ** 2 for sample in samples)
    return {"bins": rows, "brier": brier / total if total else None, "ece": error / total if total else None}


def _bin(number: int, inside: Sequence[Sample]) -> dict[str, Any]:
    count = len(inside)
    return {
        "from": number / BINS,
        "to": (number + 1) / BINS,
        "samples": count,
        "said": sum(sample.said for sample in inside) / count if count else None,
        "good": sum(sample.good for sample in inside) / count if count else None,
    }
