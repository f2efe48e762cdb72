"""The decision: of the models that can, the cheapest whose predicted quality keeps the floor. Pure."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Literal

from msgspec import Struct

from airside.gateways.models.routing.exchange import best

ALTERNATIVES_MAX = 8
TIERS = ("small", "balanced", "specialised", "frontier")


class Candidate(Struct, frozen=True):
    """A model that can answer: what its answer is expected to cost (nano-dollars), and how good it is predicted."""

    model: str
    tier: str
    cost: int
    quality: float


Source = Literal["learned", "guessed", "asked"]


class Choice(Struct, frozen=True):
    """What was decided and why. `strongest` is what a cascade escalates to."""

    model: str
    tier: str
    reason: str
    source: Source
    confidence: float
    quality: float
    strongest: str
    candidates: tuple[Candidate, ...]

    def note(self) -> dict[str, Any]:
        """Return the decision as it stands in the journal."""
        return {
            "model": self.model,
            "tier": self.tier,
            "reason": self.reason,
            "source": self.source,
            "confidence": round(self.confidence, 3),
            "quality": round(self.quality, 4),
            "alternatives": [
                {"model": one.model, "nanousd": one.cost, "quality": round(one.quality, 4)}
                for one in self.candidates[:ALTERNATIVES_MAX]
                if one.model != self.model
            ],
        }


def strongest_of(candidates: Sequence[Candidate]) -> Candidate:
    """Return the model that is trusted with everything: of the highest tier, then the best, then the dearest."""
    return max(candidates, key=lambda one: (TIERS.index(one.tier), one.quality, one.cost))


def choose_guessed(candidates: Sequence[Candidate], floor: float, signs: Sequence[str], confidence: float) -> Choice:
    """Return the cheapest whose guessed quality is at least `floor` of the strongest's, for this very call."""
    strongest = strongest_of(candidates)
    wanted = floor * strongest.quality
    enough = [one for one in candidates if one.quality >= wanted] or [strongest]
    chosen = min(enough, key=lambda one: (one.cost, -one.quality))
    looks = f"looks {', '.join(signs)}" if signs else "looks easy"
    reason = f"{looks}: the cheapest guessed to reach {wanted:.2f}"
    return _choice(chosen, reason, "guessed", confidence, candidates, strongest)


def choose_learned(
    candidates: Sequence[Candidate], rate: float, floor: float, confidence: float, familiar_min: float
) -> Choice:
    """Return the model with the least cost plus `rate` times the predicted loss (see `exchange`).

    A prompt too strange to judge gets the strongest; so do all if nothing else keeps the floor (`rate` is `inf`).
    """
    strongest = strongest_of(candidates)
    if rate == inf:
        reason = f"no cheaper way keeps {floor:.2f} of the strongest model's quality"
        return _choice(strongest, reason, "learned", confidence, candidates, strongest)
    if confidence < familiar_min:
        reason = f"too few of its words were met in learning ({confidence:.2f}): the strongest"
        return _choice(strongest, reason, "learned", confidence, candidates, strongest)
    chosen = candidates[best([(one.cost, one.quality) for one in candidates], rate)]
    if chosen.model == strongest.model:
        reason = "a cheaper answer is predicted to lose more than it saves"
    else:
        reason = f"predicted {chosen.quality:.2f} against {strongest.quality:.2f} at a fraction of the cost"
    return _choice(chosen, reason, "learned", confidence, candidates, strongest)


def choose_asked(candidates: Sequence[Candidate], reason: str) -> Choice:
    """Return the cheapest of the models that were asked for."""
    chosen = min(candidates, key=lambda one: (one.cost, -one.quality))
    return _choice(chosen, reason, "asked", 1.0, candidates, strongest_of(candidates))


def _choice(
    chosen: Candidate,
    reason: str,
    source: Source,
    confidence: float,
    candidates: Sequence[Candidate],
    strongest: Candidate,
) -> Choice:
    return Choice(
        chosen.model, chosen.tier, reason, source, confidence, chosen.quality, strongest.model, tuple(candidates)
    )


def explain_none(lacking: Mapping[str, Sequence[str]]) -> str:
    """Return why no model can answer: what each lacks."""
    each = "; ".join(f"{model} lacks {', '.join(missing)}" for model, missing in sorted(lacking.items()))
    return f"no model that this call may be routed to can answer it: {each}"[:1_000]
