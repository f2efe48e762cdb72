"""How hard a prompt looks, before anything was learned: a guess from its length, its words and its shape.

The weights are judgement, not measurement; `airside routing fit` replaces them. The guess errs on the side of the
better model: only what looks plainly easy goes to a small one.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from airside.gateways.models.routing.features import Seen, excerpt

CONFIDENCE = 0.3
_REASONING = re.compile(
    r"\b(?:prove|derive|why|explain|step by step|analy[sz]e|compare|trade-?offs?|optimi[sz]e|design|architect|debug"
    r"|refactor|plan|strategy|theorem|implications?|beweise?|erkläre|warum|pourquoi|explique|demuestra|por qué)\b"
)
_MATHS = re.compile(r"[=<>≤≥∑∫√^]|\b(?:integral|equation|probability|matrix|percent|how many|how much|calculate)\b")
_CODE = re.compile(r"```|\bdef \w|\bclass \w|\bfunction\b|\bselect\b.+\bfrom\b|#include|=>|traceback", re.DOTALL)
_NUMBER = re.compile(r"\d+")

_EASY: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"small": (0.97, 0.45), "balanced": (0.98, 0.20), "frontier": (0.98, 0.08), "specialised": (0.97, 0.30)}
)
"""By tier: the guessed quality of an answer to the easiest prompt, and how much of it the hardest takes away."""


class Hardness(Struct, frozen=True):
    """How hard a prompt looks, 0 to 1, and what made it so."""

    value: float
    signs: tuple[str, ...]


def hardness(seen: Seen) -> Hardness:
    """Return how hard a prompt looks."""
    text = excerpt(seen.text).lower()
    found = {
        "long": min(len(seen.text) / 6_000, 1.0) * 0.35,
        "reasoning": min(len(_REASONING.findall(text)), 3) * 0.12,
        "maths": min(len(_MATHS.findall(text)) / 4, 1.0) * 0.25,
        "code": 0.2 if _CODE.search(text) else 0.0,
        "numbers": min(len(_NUMBER.findall(text)) / 12, 1.0) * 0.1,
        "tools": min(seen.tools / 10, 1.0) * 0.2,
        "structured": 0.08 if seen.structured else 0.0,
        "turns": min(max(seen.turns - 2, 0) / 20, 1.0) * 0.15,
        "questions": min(max(text.count("?") - 1, 0) / 4, 1.0) * 0.1,
        "language": 0.08 if _foreign(text) else 0.0,
    }
    value = min(sum(found.values()), 1.0)
    return Hardness(round(value, 4), tuple(sorted((sign for sign, share in found.items() if share >= 0.05))))


def guessed_quality(tier: str, hard: Hardness, *, in_domain: bool) -> float:
    """Return the guessed quality of a tier's answer. A specialised model is as good as a frontier one in its domain."""
    easiest, loss = _EASY["frontier" if tier == "specialised" and in_domain else tier]
    return easiest - loss * hard.value


def _foreign(text: str) -> bool:
    """Whether much of a text is in another script than Latin."""
    letters = [char for char in text[:400] if char.isalpha()]
    return bool(letters) and sum(char > "\u024f" for char in letters) > 0.3 * len(letters)
