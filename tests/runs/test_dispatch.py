"""Admission: caps of tenant and agent, priority, and that a full agent lets the others pass."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airside.core.run import RunState
from airside.runs.dispatch import admit
from airside.runs.engine.local import LocalEngine
from airside.runs.engine.port import Ticket
from airside.runs.isolation.port import AttemptSpec
from tests.runs.house import House, answer, eventually, forever, house

queues = st.dictionaries(st.sampled_from("abc"), st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 9))), max_size=3)


@given(queues, st.dictionaries(st.sampled_from("abc"), st.integers(0, 6)), st.integers(0, 12))
def test_admission_keeps_every_cap_and_the_order(queued: Any, running: dict[str, int], tenant_max: int) -> None:
    fronts = {
        agent: [
            {"run_id": f"{agent}{n}", "agent": agent, "priority": priority, "ready_us": ready_us}
            for n, (priority, ready_us) in enumerate(sorted(rows))
        ]
        for agent, rows in queued.items()
    }
    caps = dict.fromkeys("abc", 4)
    admitted = admit(fronts, running, caps, tenant_max)
    order = [(row["priority"], row["ready_us"]) for row in admitted]
    assert order == sorted(order)
    room = max(0, tenant_max - sum(running.values()))
    assert len(admitted) <= room
    for agent, rows in fronts.items():
        mine = [row for row in admitted if row["agent"] == agent]
        assert mine == rows[: len(mine)]
        assert len(mine) <= max(0, 4 - running.get(agent, 0))
        could = min(len(rows), max(0, 4 - running.get(agent, 0)))
        assert len(mine) == could or len(admitted) == room


async def count(plane: House, state: str, agent: str) -> int:
    rows = await plane.sql("SELECT count(*) AS n FROM runs WHERE state = :s AND agent = :a", s=state, a=agent)
    return int(rows[0]["n"])


async def test_a_full_agent_lets_others_pass(plane: House) -> None:
    release = asyncio.Event()
    seen = 0

    async def until_released(plane: House, spec: AttemptSpec) -> bytes:
        nonlocal seen
        seen = max(seen, await count(plane, "running", "other"))
        await release.wait()
        return b"null"

    plane.agents["other"] = until_released
    plane.agents["shop"] = answer
    blocked = [await plane.submit("other", priority=-50) for _ in range(6)]
    await plane.until(blocked[1], RunState.RUNNING)
    await plane.until(await plane.submit("shop"), RunState.SUCCEEDED)
    assert await count(plane, "running", "other") == 2
    release.set()
    for run in blocked:
        await plane.until(run, RunState.SUCCEEDED)
    assert seen == 2


async def test_a_full_tenant_waits(url: str) -> None:
    async with house(url, runs={"tenant_runs_max": 3}) as plane:
        plane.agents["shop"] = forever
        runs = [await plane.submit() for _ in range(5)]

        async def three() -> bool:
            return await count(plane, "running", "shop") == 3

        await eventually(three, lambda: "three runs should run")
        await plane.services.dispatcher.dispatch()
        assert await three()
        await plane.services.runs.cancel(runs[0].tenant_id, runs[0].run_id, "ann")
        await plane.until(runs[3], RunState.RUNNING)
        assert await three()


async def test_the_more_urgent_run_goes_first(url: str) -> None:
    order: list[bytes] = []

    async def noting(_: House, spec: AttemptSpec) -> bytes:
        order.append(spec.input)
        return b"null"

    agents = {"shop": {"entry": "shop:agent", "runs_max": 1}}
    async with house(url, agents=agents, runs={"slots": 1}, start=False) as plane:
        plane.agents["shop"] = noting
        runs = [await plane.submit(task=str(n).encode(), priority=n) for n in (5, -5, 0, -5)]
        await plane.services.start()
        try:
            for run in runs:
                await plane.until(run, RunState.SUCCEEDED)
        finally:
            await plane.services.close()
    assert order == [b"-5", b"-5", b"0", b"5"]


async def test_two_workers_never_exceed_a_cap(postgres_url: str) -> None:
    most = 0

    async def counting(plane: House, spec: AttemptSpec) -> bytes:
        nonlocal most
        most = max(most, await count(plane, "running", "other"))
        return b"null"

    async with house(postgres_url) as one, house(postgres_url, "plane-2") as two:
        one.agents["other"] = two.agents["other"] = counting
        runs = [await one.submit("other") for _ in range(20)]
        for run in runs:
            await one.until(run, RunState.SUCCEEDED)
        executed = [spec.run_id for spec in one.specs + two.specs]
    assert most <= 2
    assert sorted(executed) == sorted(run.run_id for run in runs)


async def test_the_local_engine_bounds_orders_and_cancels() -> None:
    done: list[str] = []
    gate = asyncio.Event()
    running = most = 0

    async def execute(ticket: Ticket) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        done.append(ticket.run_id)
        if ticket.run_id == "d":
            raise RuntimeError("an engine outlives this")

    engine = LocalEngine(slots=2)
    for n, name in enumerate("abcdef"):
        await engine.submit(Ticket("t", name, "rel", -n))
        await engine.submit(Ticket("t", name, "rel", -n))
    await engine.cancel("t", "c")
    await engine.start(execute)

    async def full() -> bool:
        return running == 2

    await eventually(full, lambda: "both slots should be taken")
    gate.set()

    async def all_done() -> bool:
        return len(done) == 5

    await eventually(all_done, lambda: f"only {done}")
    assert most == 2
    assert sorted(done) == list("abdef")
    await engine.close()
