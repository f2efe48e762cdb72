"""Invariant 2 on random trees: whatever prices, aborts, deaths, new limits and new periods, the books add up."""

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airside.config.settings import DatabaseSettings
from airside.journal.backend import connect
from benchmarks.spending import FAR_US, set_lease
from benchmarks.throwaway import ThrowawayPostgres
from benchmarks.trees import Found, Garden

EXAMPLES = {"memory": 80, "sqlite": 10, "postgres": 10}


@pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_every_tree_adds_up(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: ThrowawayPostgres | None = request.getfixturevalue("postgres_server") if kind == "postgres" else None
    url = server.fresh() if server else "memory:" if kind == "memory" else f"sqlite:///{tmp_path}/trees.db"

    @settings(max_examples=EXAMPLES[kind], deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def holds(seed: int) -> None:
        found = asyncio.run(played(url, seed))
        assert not found.wrong, found

    holds()
    if server:
        server.drop(url)


async def played(url: str, seed: int) -> Found:
    """Play one tree from two processes' worth of journals, of which one dies."""
    names = ["gw-1"] if url == "memory:" else ["gw-1", "gw-2"]
    backends = [await connect(url, settings=DatabaseSettings(), executor_id=name) for name in names]
    try:
        for name in names:
            await set_lease(backends[0].database, name, FAR_US)
        return await Garden(backends[0], backends[-1], Random(seed)).play()
    finally:
        for backend in backends:
            await backend.close()
