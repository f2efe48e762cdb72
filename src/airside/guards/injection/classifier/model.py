"""A linear model of n-grams: the weights of those that a window holds are added up; the worst window counts.

All n-grams are found in one pass (Aho and Corasick, 1975), so that time is linear in the text, and each score can be
explained by the n-grams that made it. What the numbers are and where they come from: docs/models/injection.md.
"""

import math
from array import array
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

import msgspec
import zstandard
from ahocorasick_rs import BytesAhoCorasick
from msgspec import Struct

from airside.guards.injection.classifier.words import BLOCK_BYTES

WEIGHTS: Final = "weights.json.zst"
_BYTES_MAX: Final = 16 << 20
_PART_BYTES: Final = 32 * BLOCK_BYTES
_EXPONENT_MAX: Final = 700.0  # more would overflow a float


class Weights(Struct, frozen=True, kw_only=True):
    """What training found. A weight is its whole number times `unit`; `by_length` is taken off per doubling of windows.

    `slope` and `offset` turn evidence into a probability (Platt, 1999); texts with as much as `flag_at` are told of.
    """

    version: str
    bias: float
    unit: float
    by_length: float
    flag_at: float
    slope: float
    offset: float
    ngrams: tuple[str, ...]
    weights: tuple[int, ...]


class Window(Struct, frozen=True):
    """The worst window of a text: its evidence (log-odds, less what its text's length explains) and bytes."""

    evidence: float
    start: int
    end: int


class Model:
    """Scores what `words.read` made of texts."""

    def __init__(self, weights: Weights) -> None:
        self.flag_at = weights.flag_at
        self.version = weights.version
        self._bias = weights.bias
        self._by_length = weights.by_length
        self._slope, self._offset = weights.slope, weights.offset
        self._ngrams = weights.ngrams
        self._unit = weights.unit
        self._weights = array("i", weights.weights)  # whole numbers side by side: they stay in the processor's cache
        ngrams = [ngram.encode() for ngram in weights.ngrams]
        self._bytes_max = max(map(len, ngrams), default=0)
        self._automaton = BytesAhoCorasick(ngrams)

    def worst(self, read: bytes) -> Window:
        """Return the window with the most evidence."""
        blocks = self._blocks(read)
        weight = self._weights.__getitem__
        sums = [sum(map(weight, found)) for found in blocks]
        best = at = 0
        for block, (found, following) in enumerate(pairwise(blocks)):
            if found:  # what stands in both blocks counts once
                total = sums[block] + sums[block + 1] - sum(map(weight, found & following))
                if total > best:
                    best, at = total, block
        count = max(1, -(-len(read) // BLOCK_BYTES) - 1)
        evidence = self._bias + best * self._unit - self._by_length * math.log2(count)
        return Window(evidence, at * BLOCK_BYTES, min(len(read), (at + 2) * BLOCK_BYTES))

    def _blocks(self, read: bytes) -> list[set[int]]:
        """Return the n-grams that begin in each block, and an empty block.

        Parts of the text are looked at apart: a list of all matches of a long text would not fit the processor's
        caches, and time would grow faster than the text.
        """
        blocks: list[set[int]] = [set() for _ in range(0, len(read) + BLOCK_BYTES, BLOCK_BYTES)]
        adds = [block.add for block in blocks]
        for begin in range(0, len(read), _PART_BYTES):
            part = read[begin : begin + _PART_BYTES + self._bytes_max]
            for ngram, start, _ in self._automaton.find_matches_as_indexes(part, overlapping=True):
                if start < _PART_BYTES:
                    adds[(begin + start) // BLOCK_BYTES](ngram)
        return blocks

    def probability(self, evidence: float) -> float:
        """Return how sure the model is, between 0 and 1, as measured on texts it had not learnt from."""
        exponent = -(self._slope * evidence + self._offset)
        return 1 / (1 + math.exp(min(exponent, _EXPONENT_MAX)))

    def reasons(self, read: bytes, window: Window) -> Iterator[tuple[str, float]]:
        """Yield the n-grams of a window with their weights, the heaviest first: why it scored as it did."""
        part = read[window.start : window.end + 1]
        found = {ngram for ngram, _, _ in self._automaton.find_matches_as_indexes(part, overlapping=True)}
        for ngram in sorted(found, key=lambda one: -self._weights[one]):
            yield self._ngrams[ngram].strip(), self._weights[ngram] * self._unit


@cache
def shipped() -> Model:
    """Return the model that ships with airside."""
    return Model(load(files(__package__).joinpath(WEIGHTS).read_bytes()))


def load(data: bytes) -> Weights:
    """Return weights from a file's bytes; raises ValueError if they do not fit together."""
    text = zstandard.ZstdDecompressor().decompress(data, max_output_size=_BYTES_MAX)
    weights = msgspec.json.decode(text, type=Weights)
    if len(weights.ngrams) != len(weights.weights) or not all(weights.ngrams) or weights.slope <= 0:
        raise ValueError("the injection model's weights do not fit together")
    return weights
