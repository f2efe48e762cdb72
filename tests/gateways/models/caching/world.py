"""What the tests of the caches share: the gateway over HTTP with the real pipeline, journal and cache step."""

import hashlib
import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from msgspec.structs import replace

from airside.config.cache import CacheSettings
from airside.core.call import Call
from airside.core.clock import SystemClock
from airside.core.run import Identity
from airside.gateways.models.caching.savings import Savings
from airside.gateways.models.caching.semantic import Semantic
from airside.gateways.models.caching.step import Cache, Shelves
from airside.gateways.models.caching.store import CacheStore
from airside.gateways.models.embedding.port import Vector, unit
from airside.pipeline.compose import compose
from airside.policy import load
from airside.testing import InMemoryPlane
from airside.testing.calls import token_of
from tests.gateways.models.world import Spy, World, world

HEADER = "x-airside-cache"


class WordsEmbedder:
    """A deterministic embedder: words as directions. Equal words in any order make equal vectors."""

    name = "words"

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failing: Exception | None = None

    async def embed(self, call: Call, texts: Sequence[str]) -> list[Vector | None]:
        if self.failing is not None:
            raise self.failing
        self.texts += texts
        return [_vector(text) for text in texts]

    async def close(self) -> None:
        pass


def _vector(text: str) -> Vector | None:
    values = [0.0] * 64
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(0, 8, 2):
            values[digest[at] % 64] += 1.0 if digest[at + 1] % 2 else -1.0
    return unit(values) if math.fsum(abs(v) for v in values) else None


@dataclass
class Caches:
    """A gateway with a cache, and the means to ask it as somebody."""

    world: World
    plane: InMemoryPlane
    embedder: WordsEmbedder
    store: CacheStore
    cache: Cache
    uniform: list[float] = field(default_factory=lambda: [1.0])

    async def who(self, subject: str = "ann", *, agent: str = "agent", release: str = "", tenant: str = "") -> Identity:
        """Return the identity of a new run, of that end user."""
        who = await self.plane.start_run(agent=agent)
        changes: dict[str, Any] = {"subject": subject, "agent": agent}
        changes |= {"release": release} if release else {}
        changes |= {"tenant_id": tenant} if tenant else {}
        changed = replace(who, **changes)
        self.plane.identities.known[token_of(who)] = changed
        return changed

    async def ask(self, who: Identity, text: str = "Hello", wish: str = "exact", **body: Any) -> httpx2.Response:
        """Ask a question with a wish for the cache."""
        headers = {"authorization": f"Bearer {token_of(who)}", **({HEADER: wish} if wish else {})}
        value = {"model": "fake-large", "messages": [{"role": "user", "content": text}], **body}
        response = await self.world.http.post("/v1/chat/completions", json=value, headers=headers)
        while self.plane.afterwork.pending:  # what is remembered is counted after that
            await self.plane.afterwork.drain(10.0)
        return response

    async def asked(self, who: Identity, text: str = "Hello", wish: str = "exact", **body: Any) -> str:
        """Ask, and return how the cache answered: `exact`, `semantic`, `joined`, or empty."""
        response = await self.ask(who, text, wish, **body)
        assert response.status_code == 200, response.text
        return str(response.headers.get(HEADER, "")).split(";")[0]


class _Piped(Spy):
    """The whole pipeline in place of the spy, with the cache where it stands."""

    def __init__(self, plane: InMemoryPlane, cache: Cache) -> None:
        super().__init__()
        self.plane = plane
        self.cache = cache

    def pipeline(self, terminal: Any) -> Any:
        steps = self.plane.steps()
        return compose([*steps[:4], self.cache, *steps[4:]], terminal)


@asynccontextmanager
async def caches(
    settings: dict[str, Any] | None = None, *, policy_version: str = "pol_1", database_url: str = "memory:"
) -> AsyncIterator[Caches]:
    """Yield a gateway with a cache in front of a fake provider."""
    chosen = CacheSettings.model_validate({"front_s": 0.001, **(settings or {})})
    async with InMemoryPlane(policy=load(None), clock=SystemClock(), database_url=database_url) as plane:
        embedder = WordsEmbedder()
        store = CacheStore(plane.backend.database, plane.keyring, chosen, plane.clock)
        uniform = [1.0]
        semantic = Semantic(store, embedder, chosen.semantic, plane.clock, lambda: uniform[0])
        savings = Savings(plane.backend.database, plane.clock, plane.afterwork)
        policy = load(None)
        policy.version = policy_version
        shelves = Shelves(store, semantic, savings)
        cache = Cache(shelves, plane.keyring, plane.clock, plane.afterwork, policy, chosen)
        async with world(_Piped(plane, cache)) as w:
            yield Caches(w, plane, embedder, store, cache, uniform)
