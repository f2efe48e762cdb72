"""Judges: opinions on texts that take longer than a detector may, because they ask a model or another machine.

They are off unless configured, and asked only of words that may be an attacker's, once for each text.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import Final, Protocol

from airside.config.judges import JudgeSettings
from airside.core.errors import AirsideError, Code
from airside.core.lru import Lru
from airside.core.run import Identity
from airside.guards.finding import Finding, Guard, Place

_REMEMBERED_MAX: Final = 20_000
_ENDED: Final = frozenset({Code.KILLED, Code.ATTEMPT_SUPERSEDED})  # the run's end, and no failure of a judge


class Unheard(Exception):
    """A judge has no opinion: what it asks does not answer, or not as it should."""


class Judge(Protocol):
    """Gives an opinion on a text."""

    async def judge(self, who: Identity, text: str, place: Place) -> Sequence[Finding]:
        """Return what is wrong with a text, nothing if all is well; raises whatever keeps it from an opinion."""
        ...


class Ask(Protocol):
    """Asks one model about one piece of a text."""

    async def score(self, who: Identity, text: str, place: Place) -> float:
        """Return how sure it is that a text tries to give orders, between 0 and 1; raises if it cannot tell."""
        ...


class PieceByPiece:
    """A judge of texts of any length: the pieces that look worst are asked about, and each bad one is a finding."""

    def __init__(self, settings: JudgeSettings, asked: Ask, score_of: Callable[[str], float]) -> None:
        self._settings = settings
        self._asked = asked
        self._score_of = score_of
        self._places = frozenset(Place(place) for place in settings.places)

    async def judge(self, who: Identity, text: str, place: Place) -> Sequence[Finding]:
        """Return a finding for each piece that the model takes for an attack."""
        settings = self._settings
        if place not in self._places or not text.strip():
            return ()
        found = []
        for start, piece in worst(text, settings.piece_chars, settings.pieces_max, self._score_of):
            if not settings.unsure_min <= self._score_of(piece) <= settings.unsure_max:
                continue
            score = await self._asked.score(who, piece, place)
            if score >= settings.score_min:
                name = settings.name
                end = start + len(piece)
                found.append(
                    Finding(guard=Guard.INJECTION, rule=name, kind=name, start=start, end=end, score=min(score, 1.0))
                )
        return found


def worst(text: str, chars: int, count: int, score_of: Callable[[str], float]) -> list[tuple[int, str]]:
    """Return the pieces of a text that score highest, with where they begin; pieces overlap by an eighth."""
    step = chars - chars // 8
    pieces = [(start, text[start : start + chars]) for start in range(0, max(len(text) - chars // 8, 1), step)]
    if len(pieces) > count:
        pieces = sorted(pieces, key=lambda one: -score_of(one[1]))[:count]
    return pieces


class Judges:
    """All judges, each asked once for each text of a tenant."""

    def __init__(self, judges: Sequence[Judge] = ()) -> None:
        self._judges = tuple(judges)
        self._known: Lru[bytes, tuple[Finding, ...]] = Lru(_REMEMBERED_MAX)
        self._key = token_bytes(32)

    async def found(self, who: Identity, text: str, place: Place) -> Sequence[Finding]:
        """Return what judges find in a text; raises Unheard where one has no opinion."""
        if not self._judges:
            return ()
        named = f"{who.tenant_id}\0{text}".encode("utf-8", "surrogatepass")
        name = blake2b(named, key=self._key, digest_size=24, person=place.value.encode()).digest()
        known = self._known.get(name)
        if known is None:
            known = tuple([finding for judge in self._judges for finding in await _heard(judge, who, text, place)])
            self._known.put(name, known)
        return known


async def _heard(judge: Judge, who: Identity, text: str, place: Place) -> Sequence[Finding]:
    try:
        return await judge.judge(who, text, place)
    except Exception as error:
        if isinstance(error, AirsideError) and error.code in _ENDED:
            raise
        raise Unheard(f"{type(error).__name__}: {error}"[:200]) from error


NO_JUDGES: Final = Judges()
