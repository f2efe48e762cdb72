"""The engine of many machines on a real Postgres: each ticket once, by priority, over processes and their deaths."""

import asyncio

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.run import RunState
from airside.runs.engine.port import Ticket
from airside.runs.engine.procrastinate import ProcrastinateEngine
from benchmarks.throwaway import ThrowawayPostgres
from tests.runs.house import answer, eventually, house

pytestmark = pytest.mark.postgres
RELEASES = frozenset({"rel_1"})


def ticket(name: str, priority: int = 0, release: str = "rel_1") -> Ticket:
    return Ticket("default", name, release, priority)


async def test_two_processes_share_the_work_and_repeat_nothing(postgres_url: str) -> None:
    done: list[str] = []

    async def execute(one: Ticket) -> None:
        done.append(one.run_id)

    engines = [ProcrastinateEngine(postgres_url, 4, RELEASES) for _ in range(2)]
    await asyncio.gather(*(engine.start(execute) for engine in engines))
    names = [f"run_{n}" for n in range(30)]
    for name in names:
        await asyncio.gather(*(engine.submit(ticket(name)) for engine in engines))

    async def all_done() -> bool:
        return set(done) == set(names)

    await eventually(all_done, lambda: f"{len(done)} of {len(names)}")
    await asyncio.gather(*(engine.close() for engine in engines))


async def test_priority_cancelling_and_foreign_releases(postgres_url: str) -> None:
    order: list[str] = []

    async def execute(one: Ticket) -> None:
        order.append(one.run_id)

    api = ProcrastinateEngine(postgres_url, 1, frozenset())
    await api.start(None)
    for one in (ticket("late", 9), ticket("soon", -9), ticket("gone"), ticket("else", release="rel_2"), ticket("mid")):
        await api.submit(one)
        await api.submit(one)
    await api.cancel("default", "gone")
    worker = ProcrastinateEngine(postgres_url, 1, RELEASES)
    await worker.start(execute)

    async def three() -> bool:
        return len(order) == 3

    await eventually(three, lambda: f"{order}")
    assert order == ["soon", "mid", "late"]
    await worker.close()
    await api.close()


async def test_the_jobs_of_a_dead_worker_are_freed(postgres_url: str) -> None:
    engine = ProcrastinateEngine(postgres_url, 1, frozenset())
    await engine.start(None)
    await engine.submit(ticket("run_1"))
    sql = engine._app.connector.execute_query_async
    await sql("INSERT INTO procrastinate_workers DEFAULT VALUES")
    await sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    assert await engine.recover() == 0
    await sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    assert await engine.recover() == 1
    assert await engine._app.connector.execute_query_all_async("SELECT id FROM procrastinate_jobs") == []
    await engine.close()


async def test_an_execution_that_raises_blocks_nothing(postgres_url: str) -> None:
    done: list[str] = []

    async def execute(one: Ticket) -> None:
        done.append(one.run_id)
        if one.run_id == "bad":
            raise RuntimeError("an engine outlives this")

    engine = ProcrastinateEngine(postgres_url, 1, RELEASES)
    await engine.start(execute)
    for name in ("bad", "good"):
        await engine.submit(ticket(name))

    async def both() -> bool:
        return done == ["bad", "good"]

    await eventually(both, lambda: f"{done}")
    await engine.submit(ticket("bad"))

    async def again() -> bool:
        return len(done) == 3

    await eventually(again, lambda: f"{done}")
    await engine.close()


async def test_a_database_that_comes_back_finds_every_run(
    postgres_server: ThrowawayPostgres, postgres_url: str
) -> None:
    async with house(postgres_url) as plane:
        plane.agents["shop"] = answer
        await plane.until(await plane.submit(), RunState.SUCCEEDED)
        runs = [await plane.submit() for _ in range(3)]
        await asyncio.to_thread(postgres_server.crash)
        await asyncio.to_thread(postgres_server.start)

        async def submitted() -> bool:
            try:
                runs.append(await plane.submit())
            except AirsideError as error:
                return error.code is not Code.JOURNAL_UNAVAILABLE
            return True

        await eventually(submitted, lambda: "the database did not come back")
        for run in runs:
            await plane.until(run, RunState.SUCCEEDED)
