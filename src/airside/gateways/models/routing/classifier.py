"""How well each model will answer a prompt: a calibrated linear classifier a model, learned from recorded outcomes."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from random import Random
from types import MappingProxyType

from msgspec import Struct

from airside.gateways.models.routing.calibration import Line, line
from airside.gateways.models.routing.features import KNOWN_BITS, Features, Vector
from airside.gateways.models.routing.linear import Linear, fit

FOLDS = 4
STRENGTH = 0.5
ROWS_MIN = 50
"""Outcomes of a model below which nothing is learned about it."""


class Sample(Struct, frozen=True):
    """A prompt that was answered: its features, and by model how good the answer was (0 to 1) and its output tokens."""

    features: Features
    scores: Mapping[str, float]
    output_tokens: Mapping[str, int] = MappingProxyType({})


class Judge(Struct, frozen=True):
    """What was learned about one model: its classifier, calibrated, and how long its answers are on average."""

    linear: Linear
    curve: Line
    rows: int
    score_mean: float
    output_tokens_mean: float

    def quality(self, features: Features) -> float:
        """Return the predicted quality of the model's answer, 0 to 1."""
        return self.curve(self.linear.logit(features.vector))


class Classifier(Struct, frozen=True):
    """Judges of models by name, and which words they have met (a bit for each hash)."""

    judges: Mapping[str, Judge]
    known: bytes

    def familiar(self, features: Features) -> float:
        """Return the share of the prompt's words that were met in learning."""
        if not features.words:
            return 0.0
        known = self.known
        return sum(1 for word in features.words if known[word >> 3] >> (word & 7) & 1) / len(features.words)


class Learned(Struct, frozen=True):
    """A classifier, and its predictions for the rows it was made from, each by a twin that had not seen the row."""

    classifier: Classifier
    held_out: Mapping[str, Sequence[float]]


def learn(
    samples: Sequence[Sample], *, seed: int = 0, strength: float = STRENGTH, tick: Callable[[], None] | None = None
) -> Learned:
    """Return what the samples teach. Models with fewer than ROWS_MIN samples are left out.

    `held_out` lists for every model learned about its predictions for all samples, none of which was made by a
    classifier that had seen this model's score there. ValueError for a score that is not within 0..1.
    """
    by_model: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        for model, score in sample.scores.items():
            if not (isfinite(score) and 0.0 <= score <= 1.0):
                raise ValueError("a score is a number from 0 to 1")
            by_model.setdefault(model, []).append(index)
    course = _Course(strength, seed, tick)
    judges: dict[str, Judge] = {}
    held_out: dict[str, Sequence[float]] = {}
    for model in sorted(name for name, rows in by_model.items() if len(rows) >= ROWS_MIN):
        judges[model], held_out[model] = _judge(samples, model, by_model[model], course)
    return Learned(Classifier(judges, _known(samples)), held_out)


class _Course(Struct, frozen=True):
    """How classifiers are fitted."""

    strength: float
    seed: int
    tick: Callable[[], None] | None


def _judge(samples: Sequence[Sample], model: str, rows: Sequence[int], course: _Course) -> tuple[Judge, list[float]]:
    vectors = [samples[row].features.vector for row in rows]
    scores = [samples[row].scores[model] for row in rows]
    unseen = _unseen(vectors, scores, course)
    curve = line(unseen, scores)
    linear = _fitted(vectors, scores, course)
    tokens = [count for row in rows if (count := samples[row].output_tokens.get(model, 0)) > 0]
    judge = Judge(linear, curve, len(rows), sum(scores) / len(scores), sum(tokens) / len(tokens) if tokens else 0.0)
    own = dict(zip(rows, unseen, strict=True))
    predicted = [
        curve(own[row]) if row in own else judge.quality(sample.features) for row, sample in enumerate(samples)
    ]
    return judge, predicted


def _unseen(vectors: Sequence[Vector], scores: Sequence[float], course: _Course) -> list[float]:
    """Return the score of each row by a classifier that was fitted without it."""
    order = list(range(len(vectors)))
    Random(course.seed).shuffle(order)  # noqa: S311 - folds are no secret
    raw = [0.0] * len(vectors)
    for fold in range(FOLDS):
        others = [row for at, row in enumerate(order) if at % FOLDS != fold]
        twin = _fitted([vectors[row] for row in others], [scores[row] for row in others], course)
        for row in order[fold::FOLDS]:
            raw[row] = twin.logit(vectors[row])
    return raw


def _fitted(vectors: Sequence[Vector], scores: Sequence[float], course: _Course) -> Linear:
    return fit(vectors, scores, strength=course.strength, seed=course.seed, tick=course.tick)


def _known(samples: Sequence[Sample]) -> bytes:
    bits = bytearray(KNOWN_BITS // 8)
    for sample in samples:
        for word in sample.features.words:
            bits[word >> 3] |= 1 << (word & 7)
    return bytes(bits)
