"""Invariant 2: no node is ever beyond its limit, and nothing stays reserved, whatever the tree, prices and fates."""

import asyncio
import contextlib
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airside.config.settings import DatabaseSettings
from airside.journal.backend import Backend, connect
from benchmarks.spending import Audit, Tree, audit, make_call, plant, random_call, random_tree
from benchmarks.throwaway import ThrowawayPostgres

CLIENTS = 8
EXAMPLES = {"memory": 60, "sqlite": 12, "postgres": 12}


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def play(backends: list[Backend], seed: int) -> Audit:
    """Spend at random from several clients, some of whom vanish, with an auditor among them."""
    random = Random(seed)
    tree = random_tree(random)
    await plant(backends[0].database, tree)
    done = asyncio.Event()
    auditor = asyncio.create_task(watch(backends[0], done))
    clients = [
        asyncio.create_task(spend(backends[n % len(backends)], tree, random.randint(0, 2**32))) for n in range(CLIENTS)
    ]
    for client in random.sample(clients, 2):
        await asyncio.sleep(random.random() * 0.01)
        client.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*clients, return_exceptions=True)
    done.set()
    await auditor
    return await audit(backends[0].database)


async def spend(backend: Backend, tree: Tree, seed: int) -> None:
    """One client: a few calls, each let finish even if the client is cancelled, as the pipeline does."""
    random = Random(seed)
    for _ in range(6):
        run_id = random.choice(list(tree.runs))
        call = random_call(random, run_id, tree.runs[run_id])
        made = asyncio.create_task(make_call(backend.journal, random, call))
        try:
            await asyncio.shield(made)
        except asyncio.CancelledError:
            await made
            raise


async def watch(backend: Backend, done: asyncio.Event) -> None:
    while not done.is_set():
        seen = await audit(backend.database)
        assert seen.clean, seen
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.005)


def test_no_overspend_and_no_leak(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    @settings(max_examples=EXAMPLES[kind], deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def holds(seed: int) -> None:
        found = asyncio.run(on_fresh(kind, seed, tmp_path, request))
        assert found.clean, found
        assert found.reserved_nanousd == 0, found

    holds()


async def on_fresh(kind: str, seed: int, folder: Path, request: pytest.FixtureRequest) -> Audit:
    """Play on a database of its own, on Postgres and a file from two processes' worth of journals."""
    server: ThrowawayPostgres | None = None
    if kind == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = server.fresh()
    else:
        url = "memory:" if kind == "memory" else f"sqlite:///{folder}/{seed}.{Random().randbytes(4).hex()}.db"
    backends = [
        await connect(url, settings=DatabaseSettings(), executor_id=f"gw-{n}")
        for n in range(1 if kind == "memory" else 2)
    ]
    try:
        return await play(backends, seed)
    finally:
        for backend in backends:
            await backend.close()
        if server:
            server.drop(url)
