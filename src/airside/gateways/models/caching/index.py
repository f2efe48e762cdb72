"""The questions of one conversation state in memory, and which of them are nearest: every one is compared.

A product of 5,000 × 384 floats takes about 1 ms, less than making the vector; an index that approximates would only
add wrong answers. `numpy` comes with the extra `local`.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.gateways.models.caching.question import Question, read
from airside.gateways.models.caching.store import Known

NEAREST = 24
"""How many of the nearest questions are verified: look-alikes stand close, and are vetoed one after the other."""


class Near(Struct, frozen=True):
    """A question near another: its entry and the cosine between both."""

    entry_key: bytes
    question: Question
    similarity: float


class Part:
    """The questions of one conversation state, at most `entries_max` of them, the newest."""

    def __init__(self, entries_max: int) -> None:
        self._np = _numpy()
        self._entries_max = entries_max
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._rows: list[Known] = []
        self._matrix: Any = None
        self.since_us = 0
        self.fresh_until_s = 0.0

    def add(self, known: Sequence[Known]) -> None:
        """Take in questions, the newest first; of one entry the newest question counts."""
        for one in reversed(known):
            self._known.pop(one.entry_key, None)
            self._known[one.entry_key] = one
            self.since_us = max(self.since_us, one.created_us)
        while len(self._known) > self._entries_max:
            self._known.popitem(last=False)
        if known:
            self._matrix = None

    def drop(self, entry_key: bytes) -> None:
        """Forget a question."""
        if self._known.pop(entry_key, None) is not None:
            self._matrix = None

    def nearest(self, vector: bytes, floor: float) -> list[Near]:
        """Return the nearest questions whose cosine is at least `floor`, the nearest first."""
        np = self._np
        if self._matrix is None:
            self._rows = [one for one in self._known.values() if len(one.vector) == len(vector)]
            joined = b"".join(one.vector for one in self._rows)
            self._matrix = np.frombuffer(joined, dtype=np.float32).reshape(len(self._rows), -1) if joined else ()
        if not len(self._matrix) or self._matrix.shape[1] * 4 != len(vector):
            return []
        similarities = self._matrix @ np.frombuffer(vector, dtype=np.float32)
        count = min(NEAREST, len(similarities))
        best = np.argpartition(-similarities, count - 1)[:count]
        ordered = sorted(((float(similarities[at]), int(at)) for at in best), reverse=True)
        return [
            Near(self._rows[at].entry_key, read(self._rows[at].text), similarity)
            for similarity, at in ordered
            if similarity >= floor
        ]


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        raise AirsideError(
            Code.MISCONFIGURED,
            "the semantic cache needs numpy, which is not installed",
            advice="Install airside with the extra `local`.",
        ) from None
    return numpy
