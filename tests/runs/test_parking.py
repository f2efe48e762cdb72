"""Runs that wait for a breaker: they go on when it closes, a few at a time, and not for ever (E4, E3)."""

import asyncio
import json
from typing import Any

from airside.core.clock import SECOND_US
from airside.core.dependencies import SHARED, Dependency
from airside.core.run import RunState
from airside.runs.isolation.port import AttemptSpec
from airside.runs.keys import digest
from airside.runs.kills import Scope
from airside.runs.parking import Release, release_of
from tests.runs.house import TENANT, House, answer, forever, house

MODEL = Dependency(SHARED, "model:x/m")


async def breaker(plane: House, state: str, *, due_in_s: float = 3_600, dependency: Dependency = MODEL) -> None:
    """Let a breaker stand so, as the gateways would leave it."""
    await plane.sql(
        "DELETE FROM breakers WHERE tenant_id = :t AND name = :n", t=dependency.tenant_id, n=dependency.name
    )
    await plane.sql(
        "INSERT INTO breakers (tenant_id, name, state, forced, reason, trips, successes, opened_us, due_us, closed_us,"
        " probe_id, probe_until_us, resumed_us) VALUES (:t, :n, :state, 0, '', 1, 0, 0, :due, 0, '', 0, 0)",
        t=dependency.tenant_id,
        n=dependency.name,
        state=state,
        due=await now_us(plane) + int(due_in_s * SECOND_US),
    )


async def now_us(plane: House) -> int:
    async def body(tx: Any) -> int:
        return int(tx.now_us)

    return await plane.backend.database.transact(body)


async def parks_once(plane: House, spec: AttemptSpec) -> bytes:
    """An agent whose first call finds the breaker open, and which is then answered."""
    if spec.attempt == 1:
        await plane.services.suspensions.park(await plane.identity(spec), MODEL, "model:x/m is switched off")
        await asyncio.Event().wait()
    return b'"done"'


async def parks_always(plane: House, spec: AttemptSpec) -> bytes:
    await plane.services.suspensions.park(await plane.identity(spec), MODEL, "model:x/m is switched off")
    await asyncio.Event().wait()
    return b""


async def test_a_parked_run_waits_without_a_worker_and_goes_on_when_the_breaker_closes(plane: House) -> None:
    plane.agents["shop"] = parks_once
    await breaker(plane, "open")
    run = await plane.until(await plane.submit(), RunState.PARKED)
    assert run.code == "breaker_open"
    assert "model:x/m" in run.message
    await plane.services.sweeper.sweep()
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.PARKED
    await breaker(plane, "closed")
    ended = await plane.until(run, RunState.SUCCEEDED)
    assert (ended.attempt, ended.crashes, ended.code) == (2, 0, "")


async def test_a_breaker_that_nobody_knows_holds_nobody(plane: House) -> None:
    plane.agents["shop"] = parks_once
    await plane.until(await plane.submit(), RunState.SUCCEEDED)


async def test_when_a_trial_is_due_one_run_is_let_go_and_not_all(plane: House) -> None:
    plane.agents["shop"] = parks_always
    await breaker(plane, "open")
    runs = [await plane.submit() for _ in range(4)]
    for run in runs:
        await plane.until(run, RunState.PARKED)
    await breaker(plane, "open", due_in_s=-1)
    released = await asyncio.gather(*[plane.services.sweeper._parking.release(MODEL) for _ in range(5)])
    assert sum(released) <= 1  # the periodic sweep may have been first
    again = [(await plane.until(run, RunState.PARKED)).attempt for run in runs]
    assert sorted(again)[:3] == [1, 1, 1]


async def test_after_closing_they_go_on_at_a_steady_pace(url: str) -> None:
    async with house(url, runs={"suspend_grace_s": 0.05, "resume_per_s": 3, "slots": 16}) as plane:
        plane.agents["shop"] = parks_once
        await breaker(plane, "open")
        runs = [await plane.submit() for _ in range(5)]
        for run in runs:
            await plane.until(run, RunState.PARKED)
        await breaker(plane, "closed")
        for run in runs:
            await plane.until(run, RunState.SUCCEEDED)
        rows = await plane.sql("SELECT started_us FROM attempts WHERE attempt = 2 ORDER BY started_us")
        started = [row["started_us"] for row in rows]
        assert started[3] - started[0] > 0.7 * SECOND_US, "three a second"
        assert started[1] - started[0] > 0.15 * SECOND_US, "spread over the second"


async def test_a_run_that_waits_too_long_fails_with_what_it_has_achieved(url: str) -> None:
    async def refunds_then_parks(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt == 1:
            await plane.done(spec)
        return await parks_always(plane, spec)

    async with house(url, runs={"suspend_grace_s": 0.05, "park_max_s": 0.3}) as plane:
        plane.agents["shop"] = refunds_then_parks
        await breaker(plane, "open")
        run = await plane.until(await plane.submit(), RunState.FAILED)
        assert run.code == "upstream_failed"
        assert "runs.park_max_s" in run.message
        result = json.loads(await plane.services.runs.result(TENANT, run.run_id) or b"null")
        assert [effect["tool"] for effect in result["effects"]] == ["refund"]
        assert result["reason"] == run.message


async def test_all_waits_of_a_run_count_together(url: str) -> None:
    async with house(url, runs={"suspend_grace_s": 0.05, "park_max_s": 1.5}) as plane:
        plane.agents["shop"] = parks_always
        await breaker(plane, "closed")  # it flaps: closed whenever somebody looks, open whenever somebody calls
        run = await plane.until(await plane.submit(), RunState.FAILED)
        assert run.attempt > 1


async def test_a_kill_ends_a_parked_run_at_once(plane: House) -> None:
    plane.agents["shop"] = parks_always
    await breaker(plane, "open")
    run = await plane.until(await plane.submit(), RunState.PARKED)
    await plane.services.kills.set(TENANT, Scope.RUN, run.run_id, "", "key")
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.CANCELLED
    await breaker(plane, "closed")
    await plane.services.sweeper.sweep()
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.CANCELLED
    await plane.services.sweeper.tidy()
    assert not await plane.sql("SELECT * FROM parked")


async def test_waiting_uses_no_running_time(url: str) -> None:
    budget = {"run": {"wall_s": 1.5}}
    async with house(url, budgets=budget) as plane:
        plane.agents["shop"] = parks_once
        await breaker(plane, "open")
        run = await plane.until(await plane.submit(), RunState.PARKED)
        await asyncio.sleep(1.6)
        await breaker(plane, "closed")
        ended = await plane.until(run, RunState.SUCCEEDED, RunState.PARTIAL)
        assert ended.state is RunState.SUCCEEDED


async def test_a_review_is_stronger_than_parking(plane: House) -> None:
    async def asks_and_parks(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt > 1:
            return b'"done"'
        await plane.ask(spec)
        await plane.services.suspensions.park(await house_identity(plane, spec), MODEL, "off")
        await asyncio.Event().wait()
        return b""

    async def house_identity(plane: House, spec: AttemptSpec) -> Any:
        return (await plane.services.identities._standing(digest(spec.token))).identity

    plane.agents["shop"] = asks_and_parks
    await breaker(plane, "closed")
    run = await plane.until(await plane.submit(), RunState.WAITING_APPROVAL)
    await plane.services.sweeper.sweep()
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.WAITING_APPROVAL


async def test_others_work_on_while_one_is_parked(plane: House) -> None:
    plane.agents["shop"], plane.agents["other"] = parks_always, answer
    await breaker(plane, "open")
    await plane.until(await plane.submit(), RunState.PARKED)
    await plane.until(await plane.submit("other"), RunState.SUCCEEDED)


async def test_an_attempt_that_is_over_parks_nothing(plane: House) -> None:
    plane.agents["shop"] = forever
    run = await plane.submit()
    running = await plane.until(run, RunState.RUNNING)
    who = running.identity(10**18, ())
    await plane.services.runs.cancel(TENANT, run.run_id, "key")
    await plane.until(run, RunState.CANCELLED)
    await plane.services.suspensions.park(who, MODEL, "off")
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.CANCELLED


def test_who_may_go_now() -> None:
    row = {"state": "open", "forced": 0, "due_us": 100, "opened_us": 0, "probe_until_us": 0, "resumed_us": 0}
    assert release_of(None, 0, 20).runs == 20
    assert release_of(row | {"state": "closed"}, 0, 20).runs == 20
    assert release_of(row, 99, 20) == Release(0, 0)
    assert release_of(row, 100, 20).runs == 1
    assert release_of(row | {"forced": 1}, 100, 20).runs == 0
    assert release_of(row | {"probe_until_us": 101}, 100, 20).runs == 0
    assert release_of(row | {"opened_us": 98}, 97, 20).runs == 1, "a clock that went back"
