"""The port of embedders, and vectors as bytes: float32, little-endian, of length one, so that a product is a cosine."""

import math
from array import array
from collections.abc import Sequence
from typing import Protocol

from airside.core.call import Call

Vector = bytes


class Embedder(Protocol):
    """Makes vectors of texts."""

    name: str
    """Names model and version: vectors of different names are never compared."""

    async def embed(self, call: Call, texts: Sequence[str]) -> list[Vector | None]:
        """Return the unit vectors of texts, in their order; None for a text too long to be embedded whole.

        `call` is the one on whose behalf it is done: a provider's embeddings are Calls of their own. Raises
        AirsideError as any call may; `misconfigured` if the model is not installed.
        """
        ...

    async def close(self) -> None:
        """Release what the embedder holds."""
        ...


def unit(values: Sequence[float]) -> Vector | None:
    """Return values scaled to length one, or None if they have no direction (all zero, or not finite)."""
    norm = math.sqrt(sum(value * value for value in values))
    if not math.isfinite(norm) or norm == 0.0:
        return None
    return array("f", [value / norm for value in values]).tobytes()


def cosine(left: Vector, right: Vector) -> float:
    """Return the cosine of two unit vectors; 0 if they have different dimensions."""
    if len(left) != len(right):
        return 0.0
    mine, theirs = array("f", left), array("f", right)
    return sum(a * b for a, b in zip(mine, theirs, strict=True))
