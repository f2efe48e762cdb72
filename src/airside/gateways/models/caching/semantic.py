"""The semantic cache: an answer to a question that means the same, if it is near, verified, and near enough to be sure.

What it decides and why is told in plain values (`Verdict`), which the call's notes carry and `airside cache explain`
shows; they hold no content.
"""

import random
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from airside.config.cache import SemanticSettings
from airside.core.call import Call
from airside.core.clock import Clock
from airside.gateways.models.caching.index import Near, Part
from airside.gateways.models.caching.keys import Room
from airside.gateways.models.caching.question import Question, read
from airside.gateways.models.caching.remembered import Remembered
from airside.gateways.models.caching.store import Asked, CacheStore, belief_of
from airside.gateways.models.caching.thresholds import Thresholds, Trial
from airside.gateways.models.caching.verifier import compare, vetoes
from airside.gateways.models.embedding.port import Embedder, cosine

PARTS_MAX = 256
"""Conversation states that a process keeps in memory."""

REFRESH_S, RELOAD_S = 2.0, 60.0
AGREE_COSINE = 0.92
"""Two answers of different words agree above this, if also their numbers and negations are equal."""

ANSWER_CHARS = 600
SHOWN_MAX = 4
"""Candidates in a note: the last ones judged, of which the very last decided."""


class Candidate(Struct, frozen=True):
    """A near question as it was judged: vetoes by kind, and the threshold where it got that far."""

    similarity: float
    vetoes: tuple[str, ...] = ()
    threshold: float = 0.0


class Verdict(Struct, frozen=True, kw_only=True):
    """What the semantic cache says of a question.

    `decision`: `unreadable`, `nothing near`, `vetoed`, `below threshold`, `audit` (it would be served, but is answered
    anew to be compared), `served`. `near` is the verified entry, `answer` its answer.
    """

    decision: str
    candidates: tuple[Candidate, ...] = ()
    asked: Asked | None = None
    near: Near | None = None
    answer: Remembered | None = None

    @property
    def note(self) -> dict[str, Any]:
        """The verdict without content, for the journal."""
        shown = [
            {"similarity": round(one.similarity, 4), "vetoes": list(one.vetoes), "threshold": round(one.threshold, 4)}
            for one in self.candidates[-SHOWN_MAX:]
        ]
        return {"decision": self.decision, "candidates": shown}


class Semantic:
    """Looks for answers by meaning, and learns from how they compare."""

    def __init__(
        self,
        store: CacheStore,
        embedder: Embedder,
        settings: SemanticSettings,
        clock: Clock,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._settings = settings
        self._clock = clock
        self._uniform = uniform
        self._parts: OrderedDict[tuple[str, bytes], Part] = OrderedDict()
        self._loaded_s: dict[tuple[str, bytes], float] = {}
        self.thresholds = Thresholds(settings.similarity, settings.errors_max)

    async def look(self, call: Call, room: Room, part_name: bytes, text: str) -> Verdict:
        """Judge a question. Raises as the database and the embedder do."""
        asked = read(text)
        if asked.unreadable or asked.language == "other" or not asked.words:
            return Verdict(decision="unreadable")
        (vector,) = await self._embedder.embed(call, [asked.core])
        if vector is None:
            return Verdict(decision="unreadable")
        question = Asked(part_name, self._embedder.name, text, vector)
        part = await self._part(room, part_name)
        near = part.nearest(vector, self._settings.similarity_min)
        if not near:
            return Verdict(decision="nothing near", asked=question)
        return await self._judged(room, part, near, asked, question)

    async def learn(self, call: Call, room: Room, verdict: Verdict, fresh: str, kept: str) -> bool:
        """Compare a fresh answer with the kept one, remember the observation, and return whether they agree."""
        assert verdict.near is not None, "there is something to compare with"
        right = await self._agree(call, fresh, kept)
        trial = Trial(round(verdict.near.similarity, 4), right)
        await self._store.learn(room, verdict.near.entry_key, self._embedder.name, trial, self.thresholds)
        return right

    async def close(self) -> None:
        """Release the embedder."""
        await self._embedder.close()

    async def _judged(self, room: Room, part: Part, near: list[Near], asked: Question, question: Asked) -> Verdict:
        judged: list[Candidate] = []
        for one in near:
            against = vetoes(asked, one.question)
            if against:
                judged.append(Candidate(one.similarity, tuple(veto.kind for veto in against)))
                continue
            answer = await self._store.find(room, one.entry_key)
            if answer is None:
                part.drop(one.entry_key)
                continue
            learned, trials = await self._store.evidence(room, one.entry_key, self._embedder.name)
            belief = self.thresholds.entry(belief_of(learned, self.thresholds), trials)
            threshold = max(self.thresholds.threshold(belief), self._settings.similarity_min)
            judged.append(Candidate(one.similarity, (), threshold))
            decision = "below threshold"
            if one.similarity >= threshold - 1e-6:
                decision = "audit" if self._uniform() < self._settings.audit_share else "served"
            return Verdict(decision=decision, candidates=tuple(judged), asked=question, near=one, answer=answer)
        decision = "vetoed" if judged else "nothing near"
        return Verdict(decision=decision, candidates=tuple(judged), asked=question)

    async def _part(self, room: Room, name: bytes) -> Part:
        """Return a conversation state, with what other processes have added since it was last looked at."""
        key, now_s = (room.tenant_id, name), self._clock.monotonic_s()
        part = self._parts.get(key)
        if part is None or now_s >= self._loaded_s[key] + RELOAD_S:
            part = Part(self._settings.entries_max)
            self._loaded_s[key] = now_s
        if now_s >= part.fresh_until_s:
            part.add(await self._store.questions(room, name, self._embedder.name, part.since_us))
            part.fresh_until_s = now_s + REFRESH_S
        self._parts[key] = part
        self._parts.move_to_end(key)
        while len(self._parts) > PARTS_MAX:
            oldest, _ = self._parts.popitem(last=False)
            self._loaded_s.pop(oldest, None)
        return part

    def kept(self, room: Room, asked: Asked) -> None:
        """Note that a question was added by this process: it is looked for again at once."""
        part = self._parts.get((room.tenant_id, asked.part))
        if part is not None:
            part.fresh_until_s = 0.0

    async def _agree(self, call: Call, fresh: str, kept: str) -> bool:
        if _plain(fresh) == _plain(kept):
            return True
        mine, theirs = fresh[:ANSWER_CHARS], kept[:ANSWER_CHARS]
        if any(veto.kind in {"number", "negation", "date", "language", "unreadable"} for veto in compare(mine, theirs)):
            return False
        left, right = await self._embedder.embed(call, [mine, theirs])
        return left is not None and right is not None and cosine(left, right) >= AGREE_COSINE


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
