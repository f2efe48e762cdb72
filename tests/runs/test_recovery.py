"""What dies is found: expired leases, zombies, orphaned calls, held and parked runs. Time moves in the tables."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.call import CallState, Effect
from airside.core.errors import AirsideError, Code
from airside.core.ports import Refused
from airside.core.run import RunState
from airside.runs.engine.port import Ticket
from airside.runs.held import Finding
from airside.runs.isolation.port import AttemptSpec
from airside.runs.orphans import Fate, fate
from tests.journal import world
from tests.runs.house import TENANT, WRITE, Crash, House, answer, eventually, forever, house


def test_what_becomes_of_an_orphan() -> None:
    assert fate(side_effect=False, idempotent=False, run_ended=False) is Fate.LOST
    assert fate(side_effect=True, idempotent=True, run_ended=False) is Fate.KEPT
    assert fate(side_effect=True, idempotent=False, run_ended=False) is Fate.HELD
    assert fate(side_effect=True, idempotent=True, run_ended=True) is Fate.LOST


async def running(plane: House, agent: Any = forever) -> Any:
    plane.agents["shop"] = agent
    run = await plane.submit()

    async def started() -> bool:
        return run.run_id in plane.processes

    await eventually(started, lambda: "the run did not start")
    return run


async def expire(plane: House) -> None:
    """Let the leases of the attempts that run now be long over."""
    await plane.sql("UPDATE attempts SET lease_until_us = 1 WHERE ended_us IS NULL")


async def calls_of(plane: House) -> dict[str, str]:
    rows = await plane.sql("SELECT call_id, state FROM calls")
    return {row["call_id"]: row["state"] for row in rows}


async def test_a_run_whose_lease_is_gone_is_tried_again_and_the_zombie_can_do_nothing(plane: House) -> None:
    run = await running(plane)
    zombie = plane.specs[0]
    who = await plane.identity(zombie)
    plane.agents["shop"] = answer
    await expire(plane)
    await plane.services.sweeper.sweep()
    ended = await plane.until(run, RunState.SUCCEEDED)
    assert (ended.attempt, ended.crashes) == (2, 1)
    verdict = await plane.backend.journal.open(world.opening(world.call(identity=who)))
    assert isinstance(verdict, Refused)
    with pytest.raises(AirsideError) as error:
        await plane.identity(zombie)
    assert error.value.code is Code.ATTEMPT_SUPERSEDED

    async def gone() -> bool:
        return plane.processes[run.run_id].task.done()

    await eventually(gone, lambda: "the zombie still runs")


async def test_a_worker_that_lost_its_lease_stops_and_writes_nothing(plane: House) -> None:
    run = await running(plane)
    old = plane.processes[run.run_id]
    await plane.sql("UPDATE attempts SET worker_id = 'somebody else'")
    await plane.services.leases.renew()
    await asyncio.wait([old.task])
    assert old.task.cancelled()
    now = await plane.services.runs.get(TENANT, run.run_id)
    assert (now.state, now.attempt) == (RunState.RUNNING, 1)


async def test_an_attempt_that_starts_while_leases_are_renewed_goes_on(plane: House) -> None:
    go_on = asyncio.Event()

    async def waits(plane: House, spec: AttemptSpec) -> bytes:
        await go_on.wait()
        return b'"done"'

    run = await running(plane, waits)
    held_now = plane.services.leases.held
    plane.services.leases.held = frozenset  # what was held when the renewal began
    await plane.services.leases.renew()
    plane.services.leases.held = held_now
    go_on.set()
    assert (await plane.until(run, RunState.SUCCEEDED)).attempt == 1


async def test_an_attempt_that_nobody_executes_is_not_kept_alive(url: str) -> None:
    async with house(url, works=False) as plane:
        run = await plane.submit()
        assert await plane.services.sweeper._attempts.start(TENANT, run.run_id)
        await expire(plane)
        await plane.services.leases.renew()
        await plane.services.sweeper.sweep()
        again = await plane.services.runs.get(TENANT, run.run_id)
        assert (again.state, again.crashes) == (RunState.QUEUED, 1)


async def test_starting_a_run_twice_starts_it_once(plane: House) -> None:
    run = await running(plane)
    ticket = Ticket(run.tenant_id, run.run_id, run.release, 0)
    await asyncio.gather(*(plane.services._execute(ticket) for _ in range(5)))
    assert len(plane.specs) == 1
    assert (await plane.services.runs.get(TENANT, run.run_id)).attempt == 1


async def test_concurrent_starts_make_one_attempt(url: str) -> None:
    async with house(url, works=False) as plane:
        run = await plane.submit()
        from_here = [plane.services.sweeper._attempts.start(TENANT, run.run_id) for _ in range(6)]
        started = [found for found in await asyncio.gather(*from_here) if found]
        assert len(started) == 1
        rows = await plane.sql("SELECT attempt FROM attempts")
        assert [row["attempt"] for row in rows] == [1]


async def test_orphaned_calls_of_a_dead_gateway(plane: House) -> None:
    made: dict[str, str] = {}

    async def calling(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt == 1:
            for name, more in {
                "read": {"effect": Effect.READ},
                "same key": WRITE | {"idempotent": True},
                "effect": WRITE,
            }.items():
                made[name] = (await plane.opened(spec, executor="gw-dead", request=name, **more)).call_id
            made["done"] = ""
        return await forever(plane, spec)

    run = await running(plane, calling)

    async def called() -> bool:
        return "done" in made

    await eventually(called, lambda: "the agent made no calls")
    await plane.services.sweeper.sweep()
    held = await plane.until(run, RunState.HELD)
    assert held.code == "outcome_unknown"
    states = await calls_of(plane)
    assert states[made["read"]] == "lost"
    assert states[made["same key"]] == "open"
    assert states[made["effect"]] == "held"


async def test_a_live_gateway_keeps_its_calls(plane: House) -> None:
    made: list[str] = []

    async def calling(plane: House, spec: AttemptSpec) -> bytes:
        made.append((await plane.opened(spec, **WRITE)).call_id)
        return await forever(plane, spec)

    await running(plane, calling)

    async def called() -> bool:
        return bool(made)

    await eventually(called, lambda: "the agent made no call")
    await plane.services.sweeper.sweep()
    assert await calls_of(plane) == {made[0]: "open"}


@pytest.mark.parametrize("finding", list(Finding))
async def test_a_person_says_what_happened(plane: House, finding: Finding) -> None:
    """A local tool whose process died: held, then resolved, then the next attempt replays it or makes it anew."""
    seen: list[str] = []

    async def local(plane: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        if spec.attempt == 1:
            await plane.opened(spec, executor=who.executor_of_attempt, **WRITE)
            raise Crash("in the middle of it")
        recorded = await plane.backend.journal.claim(who, world.digest("refund 1"))
        if recorded is None:
            await plane.done(spec, **WRITE)
            seen.append("made anew")
        else:
            key = await plane.services.runs._keyring.subject(who.tenant_id, who.subject)
            seen.append(key.open(recorded.outcome, recorded.sealed).decode())
        return b"null"

    plane.agents["shop"] = local
    run = await plane.submit()
    await plane.until(run, RunState.HELD)
    calls = await plane.services.held.calls(TENANT, run.run_id)
    assert [call.tool for call in calls] == ["refund"]
    assert (await plane.services.held.queue(TENANT)).calls == calls
    assert (await plane.services.held.queue("other")).calls == []
    with pytest.raises(AirsideError) as error:
        await plane.services.held.resolve(TENANT, run.run_id, finding, "ann", call_id="call_unknown")
    assert error.value.code is Code.NOT_FOUND
    await plane.services.held.resolve(TENANT, run.run_id, finding, "ann", result=b'{"refunded": 80}')
    await plane.until(run, RunState.SUCCEEDED)
    assert (await plane.services.held.queue(TENANT)).calls == []
    assert seen == (['{"result":{"refunded":80}}'] if finding is Finding.HAPPENED else ["made anew"])
    with pytest.raises(AirsideError) as error:
        await plane.services.held.fail(TENANT, run.run_id, "ann")
    assert error.value.code is Code.CONFLICT


async def test_a_held_run_can_be_given_up(plane: House) -> None:
    async def suspended(plane: House, spec: AttemptSpec) -> bytes:
        await plane.services.suspensions.suspend(await plane.identity(spec), "held", "look at it")
        return await forever(plane, spec)

    plane.agents["shop"] = suspended
    run = await plane.submit()
    held = await plane.until(run, RunState.HELD)
    assert held.message == "look at it"
    failed = await plane.services.held.fail(TENANT, run.run_id, "ann")
    assert failed.state is RunState.FAILED


async def test_an_attempt_that_ends_without_its_effects_has_diverged(plane: House) -> None:
    async def forgetful(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt == 1:
            await plane.done(spec, **WRITE)
            raise Crash("after the effect")
        return b'"nothing to do"'

    plane.agents["shop"] = forgetful
    run = await plane.submit()
    ended = await plane.until(run, RunState.DIVERGED)
    assert ended.result is None


async def test_a_stronger_reason_to_stop_wins(plane: House) -> None:
    async def torn(plane: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        await plane.services.suspensions.suspend(who, "held", "first")
        await plane.services.suspensions.suspend(who, "parked", "second")
        return await forever(plane, spec)

    plane.agents["shop"] = torn
    run = await plane.submit()
    assert (await plane.until(run, RunState.HELD, RunState.PARKED)).message == "first"


async def test_parked_runs_come_back(plane: House) -> None:
    async def parked_once(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt == 1:
            await plane.services.suspensions.suspend(await plane.identity(spec), "parked", "the breaker is open")
            await forever(plane, spec)
        return b"null"

    plane.agents["shop"] = parked_once
    run = await plane.submit()
    await plane.until(run, RunState.PARKED)
    assert await plane.services.sweeper.parked_runs() == 0
    await plane.sql("UPDATE runs SET ready_us = 1 WHERE state = 'parked'")
    await plane.services.sweeper.sweep()
    await plane.until(run, RunState.SUCCEEDED)


async def test_a_release_that_nobody_has_is_parked_until_it_is_moved(plane: House) -> None:
    plane.agents["shop"] = plane.agents["other"] = answer
    current = plane.services.current["shop"].fingerprint
    await plane.sql("UPDATE aliases SET fingerprint = 'rel_old'")
    run = await running(plane)
    await plane.sql("UPDATE runs SET state = 'queued', release = 'rel_gone' WHERE run_id = :id", id=run.run_id)
    await plane.services.sweeper.unrunnable_runs()
    parked = await plane.until(run, RunState.PARKED)
    assert parked.code == "release_unavailable"
    with pytest.raises(AirsideError) as error:
        await plane.services.runs.move_to(TENANT, run.run_id, "ann", "rel_unknown")
    assert error.value.code is Code.RELEASE_UNAVAILABLE
    plane.agents["shop"] = answer
    moved = await plane.services.runs.move_to(TENANT, run.run_id, "ann")
    assert moved.release == current
    await plane.until(run, RunState.SUCCEEDED)


async def test_running_time_adds_up_over_attempts(url: str) -> None:
    async with house(url, budgets={"run": {"wall_s": 0.3}}) as plane:

        async def slow(_: House, spec: AttemptSpec) -> bytes:
            await asyncio.sleep(0.2)
            raise Crash("again")

        plane.agents["shop"] = slow
        run = await plane.submit()
        ended = await plane.until(run, RunState.PARTIAL, RunState.FAILED)
        assert (ended.state, ended.attempt) == (RunState.PARTIAL, 2)
        assert json.loads(await plane.services.runs.result(TENANT, run.run_id) or b"")["effects"] == []


async def test_a_terminal_runs_open_effect_is_closed_as_lost(plane: House) -> None:
    plane.agents["shop"] = forever
    run = await running(plane)
    who = await plane.identity(plane.specs[0])
    call = world.call(identity=who)
    await plane.backend.journal.open(replace(world.opening(call, "gw-dead"), executor_id="gw-dead"))
    await plane.sql("UPDATE runs SET state = 'failed' WHERE run_id = :id", id=run.run_id)
    await plane.services.sweeper.sweep()
    assert (await calls_of(plane))[call.call_id] == CallState.LOST
    spent = await plane.sql(
        "SELECT spent_nanousd, reserved_nanousd FROM budgets WHERE node = :n", n=f"run:{run.run_id}"
    )
    assert spent == [{"spent_nanousd": 10_000_000, "reserved_nanousd": 0}]
