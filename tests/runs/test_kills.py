"""Invariant 9: after a kill nothing in its scope starts, and what ran is gone; a kill reaches other processes."""

import asyncio
import contextlib
from typing import Any

import pytest

from airside.core.call import CallKind
from airside.core.errors import AirsideError, Code
from airside.core.run import RunState
from airside.runs.isolation.port import AttemptSpec
from airside.runs.kills import Kill, Scope, matching
from tests.runs.house import TENANT, WRITE, House, eventually, forever, house


def test_a_kill_stops_its_scope_and_nothing_else() -> None:
    run = frozenset({Kill("t", Scope.RUN, "run_1", "")})
    assert matching(run, "t", ["run_1"], "shop", "")
    assert not matching(run, "t", ["run_2"], "shop", "")
    assert not matching(run, "u", ["run_1"], "shop", "")
    tool = frozenset({Kill("t", Scope.TOOL, "refund", "")})
    assert matching(tool, "t", ["r"], "a", "refund")
    assert not matching(tool, "t", ["r"], "refund", "")
    assert matching(frozenset({Kill("", Scope.ALL, "", "")}), "anyone", ["r"], "a", "")
    assert not matching(frozenset({Kill("t", Scope.TENANT, "", "")}), "u", ["r"], "a", "")


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.AGENT, Scope.TENANT, Scope.ALL])
async def test_a_kill_ends_what_runs_and_what_waits(plane: House, scope: Scope) -> None:
    plane.agents["shop"] = plane.agents["other"] = forever
    running, bystander = await plane.submit(), await plane.submit("other")
    await plane.until(running, RunState.RUNNING)
    await plane.until(bystander, RunState.RUNNING)

    async def started() -> bool:
        return len(plane.specs) == 2

    await eventually(started, lambda: "the runs did not start")
    spec = next(spec for spec in plane.specs if spec.run_id == running.run_id)
    who = await plane.identity(spec)
    name = {Scope.RUN: running.run_id, Scope.AGENT: "shop"}.get(scope, "")
    assert await plane.services.kills.set(TENANT, scope, name, "runaway", "ann") == (1 if name else 2)
    with pytest.raises(AirsideError) as error:
        plane.services.identities.check(who, CallKind.MODEL, "gpt")
    assert error.value.code is Code.KILLED
    ended = await plane.until(running, RunState.CANCELLED)
    assert ended.code == "killed"
    assert plane.processes[running.run_id].task.cancelled()
    other = await plane.services.runs.get(TENANT, bystander.run_id)
    if name:
        assert other.state is RunState.RUNNING
    else:
        await plane.until(bystander, RunState.CANCELLED)
    if scope is not Scope.RUN:
        with pytest.raises(AirsideError) as error:
            await plane.submit()
        assert error.value.code is Code.KILLED
    assert [kill["scope"] for kill in await plane.services.kills.list(TENANT)] == [scope.value]
    await plane.services.kills.lift(TENANT, scope, name, "ann")
    plane.services.identities.check(who, CallKind.MODEL, "gpt")
    await plane.submit()
    entries = await plane.sql("SELECT type FROM entries WHERE type LIKE 'kill.%' ORDER BY entry_id")
    assert [entry["type"] for entry in entries] == ["kill.set", "kill.lifted"]


async def test_a_killed_tool_stops_its_calls_only(plane: House) -> None:
    plane.agents["shop"] = forever
    run = await plane.submit()

    async def started() -> bool:
        return bool(plane.specs)

    await eventually(started, lambda: "the run did not start")
    who = await plane.identity(plane.specs[0])
    await plane.services.kills.set(TENANT, Scope.TOOL, "refund", "", "ann")
    with pytest.raises(AirsideError):
        plane.services.identities.check(who, CallKind.TOOL, "refund")
    plane.services.identities.check(who, CallKind.TOOL, "lookup")
    plane.services.identities.check(who, CallKind.MODEL, "refund")
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.RUNNING


async def test_what_was_in_flight_is_held(plane: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airside.runs.worker.SETTLE_S", 0.05)

    async def busy(plane: House, spec: AttemptSpec) -> bytes:
        await plane.opened(spec, **WRITE)
        return await forever(plane, spec)

    plane.agents["shop"] = busy
    run = await plane.submit()
    await plane.until(run, RunState.RUNNING)

    async def opened() -> bool:
        return bool(await plane.sql("SELECT call_id FROM calls WHERE state = 'open'"))

    await eventually(opened, lambda: "no call was opened")
    await plane.services.kills.set(TENANT, Scope.RUN, run.run_id, "", "ann")
    held = await plane.until(run, RunState.HELD)
    assert held.code == "killed"


async def test_queued_runs_are_cancelled_and_never_start(url: str) -> None:
    async with house(url, works=False) as plane:
        runs = [await plane.submit() for _ in range(120)]
        assert await plane.services.kills.set(TENANT, Scope.AGENT, "shop", "", "ann") == 120
        states = await plane.sql("SELECT DISTINCT state FROM runs")
        assert [row["state"] for row in states] == ["cancelled"]
        assert len(runs) == 120


@pytest.mark.postgres
async def test_a_kill_reaches_calls_that_wait_in_another_process(postgres_url: str) -> None:
    async with house(postgres_url) as plane, house(postgres_url, "gw-2", works=False) as gateway:
        plane.agents["shop"] = forever
        await plane.submit()

        async def started() -> bool:
            return bool(plane.specs)

        await eventually(started, lambda: "the run did not start")
        who = await gateway.identity(plane.specs[0])
        await plane.services.kills.set(TENANT, Scope.TOOL, "refund", "", "ann")

        async def stopped() -> bool:
            with contextlib.suppress(AirsideError):
                gateway.services.identities.check(who, CallKind.TOOL, "refund")
                return False
            return True

        await eventually(stopped, lambda: "the call would be made", s=3.0)


@pytest.mark.postgres
async def test_a_kill_reaches_another_process(postgres_url: str) -> None:
    async with house(postgres_url) as plane, house(postgres_url, "gw-2", works=False) as gateway:
        plane.agents["shop"] = forever
        run = await gateway.submit()

        async def started() -> bool:
            return bool(plane.specs)

        await eventually(started, lambda: "the run did not start")
        spec = plane.specs[0]
        who = await gateway.services.identities.resolve(spec.token, "")
        await gateway.services.kills.set(TENANT, Scope.AGENT, "shop", "", "ann")
        with pytest.raises(AirsideError):
            gateway.services.identities.check(who, CallKind.MODEL, "gpt")

        async def refused() -> bool:
            try:
                await plane.services.identities.resolve(spec.token, "")
                plane.services.identities.check(who, CallKind.MODEL, "gpt")
            except AirsideError as error:
                return error.code is Code.KILLED
            return False

        await eventually(refused, lambda: "the other process does not know of the kill", s=1.0)
        await plane.until(run, RunState.CANCELLED)


@pytest.mark.parametrize(("scope", "name"), [(Scope.RUN, ""), (Scope.ALL, "x"), (Scope.TOOL, "x" * 201)])
async def test_a_kill_without_sense_is_refused(scope: Scope, name: str) -> None:
    async with house("memory:") as plane:
        with pytest.raises(AirsideError) as error:
            await plane.services.kills.set(TENANT, scope, name, "", "ann")
        assert error.value.code is Code.INVALID_REQUEST
        with pytest.raises(AirsideError) as error:
            await plane.services.kills.lift(TENANT, Scope.AGENT, "nobody", "ann")
        assert error.value.code is Code.NOT_FOUND


async def test_a_kill_and_a_start_at_once_leave_nothing_running(plane: House) -> None:
    async def calling(plane: House, spec: AttemptSpec) -> bytes:
        return await forever(plane, spec)

    plane.agents["shop"] = calling

    async def submit() -> Any:
        with contextlib.suppress(AirsideError):
            return await plane.submit()

    made, _ = await asyncio.gather(
        asyncio.gather(*(submit() for _ in range(20))), plane.services.kills.set(TENANT, Scope.TENANT, "", "", "ann")
    )
    for run in filter(None, made):
        await plane.until(run, RunState.CANCELLED)
