"""The store on both databases, what operators see and do, and the vectors of a provider."""

import asyncio
from typing import Any

import pytest

from airside.config.cache import CacheSettings
from airside.core.call import Usage
from airside.core.clock import SystemClock
from airside.core.money import NanoUsd
from airside.gateways.models.caching import office
from airside.gateways.models.caching.keys import Room
from airside.gateways.models.caching.remembered import Remembered
from airside.gateways.models.caching.savings import Saved, Savings
from airside.gateways.models.caching.store import Asked, CacheStore, Origin, belief_of
from airside.gateways.models.caching.thresholds import Thresholds, Trial
from airside.gateways.models.embedding.port import cosine, unit
from airside.testing import InMemoryPlane

RULE = Thresholds(0.95, 0.01)
ROOM = Room("default", "ann", (b"live",))
ORIGIN = Origin("ann", "agent", "model")


@pytest.fixture(params=["memory:", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else str(request.param)


def answer(name: bytes = b"k" * 32, body: bytes = b"{}") -> Remembered:
    return Remembered(entry_key=name, body=body, usage=Usage(output=3), cost=NanoUsd(9), upstream="u", price="p")


async def test_what_is_put_is_found_with_its_question(database_url: str) -> None:
    async with InMemoryPlane(database_url=database_url, clock=SystemClock()) as plane:
        store = CacheStore(plane.backend.database, plane.keyring, CacheSettings(), plane.clock)
        key = await plane.keyring.subject("default", "ann")
        asked = Asked(b"part", "words", "How?", unit([1.0, 0.0]) or b"")
        await store.put(ROOM, key, answer(), ORIGIN, asked)
        await store.put(ROOM, key, answer(b"l" * 32), ORIGIN)
        found = await store.find(ROOM, b"k" * 32)
        assert found is not None
        assert (found.body, found.cost, found.created_us > 0) == (b"{}", 9, True)
        (known,) = await store.questions(ROOM, b"part", "words", 0)
        assert (known.entry_key, known.text) == (b"k" * 32, "How?")
        assert await store.questions(ROOM, b"part", "other model", 0) == []
        assert await store.questions(Room("default", "bob", ()), b"part", "words", 0) == []
        assert await store.find(Room("other", "ann", (b"live",)), b"k" * 32) is None


async def test_observations_of_concurrent_writers_add_up(database_url: str) -> None:
    async with InMemoryPlane(database_url=database_url, clock=SystemClock()) as plane:
        store = CacheStore(plane.backend.database, plane.keyring, CacheSettings(), plane.clock)
        key = await plane.keyring.subject("default", "ann")
        await store.put(ROOM, key, answer(), ORIGIN)
        shown = [Trial(0.9, n % 4 != 0) for n in range(16)]
        await asyncio.gather(*[store.learn(ROOM, b"k" * 32, "words", trial, RULE) for trial in shown])
        learned, _ = await store.evidence(ROOM, b"k" * 32, "words")
        belief = belief_of(learned, RULE)
        assert (belief.observations, belief.wrong) == (16, 4)


async def test_operators_see_what_was_saved_and_clear_it(database_url: str) -> None:
    async with InMemoryPlane(database_url=database_url, clock=SystemClock()) as plane:
        database = plane.backend.database
        store = CacheStore(database, plane.keyring, CacheSettings(), plane.clock)
        savings = Savings(database, plane.clock, plane.afterwork)
        key = await plane.keyring.subject("default", "ann")
        for number, origin in enumerate((ORIGIN, Origin("bob", "agent", "m"), Origin("ann", "other", "m"))):
            await store.put(ROOM, key, answer(bytes([number]) * 32), origin)
        await store.learn(ROOM, bytes(32), "words", Trial(0.9, False), RULE)
        savings.add("default", "agent", "exact", Saved(hits=1, tokens=5, nanousd=2_000_000_000))
        savings.add("default", "agent", "exact", Saved(hits=1, tokens=5))
        savings.used(ROOM, bytes(32))
        await plane.afterwork.drain(10.0)
        seen = await office.summary(database, "default", days=1)
        assert seen["entries"] == 3
        assert seen["saved"] == [
            {"kind": "exact", "hits": 2, "tokens": 10, "usd": "2.000000000", "compared": 0, "wrong": 0}
        ]
        assert seen["learned"] == [{"embedder": "words", "observations": 1, "wrong": 1}]
        assert (await office.summary(database, "default", days=1, agent="other"))["saved"] == []
        assert (await office.summary(database, "another", days=1))["entries"] == 0
        cleared: list[Any] = []
        for who, agent, subject in (("another", "", ""), ("default", "other", ""), ("default", "", "bob")):
            cleared.append(await office.clear(database, who, agent=agent, subject=subject, learned=False, by="k"))
        cleared.append(await office.clear(database, "default", agent="", subject="", learned=True, by="k"))
        assert [one["entries"] for one in cleared] == [0, 1, 1, 1]
        assert (await office.summary(database, "default", days=1))["learned"] == []


def test_vectors_have_length_one_or_are_none() -> None:
    one, two = unit([3.0, 4.0]), unit([4.0, 3.0])
    assert one is not None
    assert two is not None
    assert cosine(one, one) == pytest.approx(1.0)
    assert cosine(one, two) == pytest.approx(0.96)
    assert cosine(one, unit([1.0]) or b"") == 0.0
    assert unit([0.0, 0.0]) is None
    assert unit([float("nan")]) is None
