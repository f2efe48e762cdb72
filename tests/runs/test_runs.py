"""The life of a run from submission to its end: results, idempotency, queue limits, cancelling, paging."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from airside.core.call import CallKind, CallState
from airside.core.errors import AirsideError, Code
from airside.core.ports import Refused
from airside.core.run import RunState
from airside.journal import events
from airside.runs.isolation.port import AttemptSpec
from tests.journal import world
from tests.runs.house import TENANT, Crash, House, answer, eventually, forever, house


async def test_a_run_returns_its_result_and_tells_each_step(plane: House) -> None:
    plane.agents["shop"] = answer
    run = await plane.submit(labels={"workflow": "refunds", "customer": "c1"})
    assert run.state is RunState.QUEUED
    ended = await plane.until(run, RunState.SUCCEEDED)
    assert await plane.services.runs.result(TENANT, run.run_id) == b'{"echo":"hello"}'
    events = await plane.services.runs.events(TENANT, run.run_id)
    assert [(event.version, event.body["state"]) for event in events] == [
        (1, "queued"),
        (2, "running"),
        (3, "succeeded"),
    ]
    assert ended.version == 3
    assert ended.subject == "customer:c1"
    path = ["tenant:default", "workflow:refunds", "customer:c1", f"run:{run.run_id}"]
    assert json.loads(ended.budget_path) == path
    followed = [event.version async for event in plane.services.runs.follow(TENANT, run.run_id, 1)]
    assert followed == [2, 3]


async def test_input_and_result_are_sealed(plane: House) -> None:
    plane.agents["shop"] = answer
    run = await plane.submit(task=b'"my card is 4111"')
    await plane.until(run, RunState.SUCCEEDED)
    stored = await plane.sql("SELECT sealed FROM contents")
    rows = await plane.sql("SELECT input, result, message FROM runs")
    assert stored
    assert not any(b"4111" in bytes(row["sealed"]) for row in stored)
    assert b"4111" not in repr(rows).encode()


async def test_another_tenant_finds_nothing(plane: House) -> None:
    plane.agents["shop"] = answer
    run = await plane.submit()
    for look in (plane.services.runs.get, plane.services.runs.result, plane.services.runs.events):
        with pytest.raises(AirsideError) as error:
            await look("other", run.run_id)
        assert error.value.code is Code.NOT_FOUND
    assert not (await plane.services.runs.page("other")).runs


async def test_idempotency_key_gives_the_same_run_or_a_conflict(plane: House) -> None:
    plane.agents["shop"] = answer
    first, second = await asyncio.gather(plane.submit(idempotency_key="k1"), plane.submit(idempotency_key="k1"))
    assert first.run_id == second.run_id
    with pytest.raises(AirsideError) as error:
        await plane.submit(idempotency_key="k1", task=b'"else"')
    assert error.value.code is Code.IDEMPOTENCY_CONFLICT
    await plane.sql("UPDATE idempotency_keys SET expires_us = 1")
    third = await plane.submit(idempotency_key="k1", task=b'"else"')
    assert third.run_id != first.run_id
    await plane.until(third, RunState.SUCCEEDED)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"agent": "nobody"}, Code.UNKNOWN_AGENT),
        ({"labels": {"colour": "red"}}, Code.INVALID_REQUEST),
        ({"labels": {"customer": "x" * 201}}, Code.INVALID_REQUEST),
        ({"priority": 101}, Code.INVALID_REQUEST),
        ({"webhook_url": "file:///etc/passwd"}, Code.INVALID_REQUEST),
        ({"webhook_url": "http://user:pw@host/"}, Code.INVALID_REQUEST),
        ({"webhook_url": "http://[::1"}, Code.INVALID_REQUEST),
        ({"idempotency_key": "k" * 256}, Code.LIMIT_EXCEEDED),
        ({"task": b'"' + b"x" * 10_485_760 + b'"'}, Code.LIMIT_EXCEEDED),
    ],
)
async def test_a_bad_submission_leaves_nothing(more: dict[str, object], code: Code) -> None:
    async with house("memory:") as plane:
        with pytest.raises(AirsideError) as error:
            await plane.submit(**more)
        assert error.value.code is code
        assert not await plane.sql("SELECT run_id FROM runs")


async def test_a_full_queue_refuses_more() -> None:
    async with house("memory:", runs={"queue_max": 3}, start=False) as plane:
        for _ in range(3):
            await plane.submit()
        with pytest.raises(AirsideError) as error:
            await plane.submit()
        assert error.value.code is Code.RATE_LIMITED
        assert error.value.retry_after_s


async def test_pages_are_complete_and_in_order(plane: House) -> None:
    plane.agents["shop"] = answer
    made = [(await plane.submit()).run_id for _ in range(7)]
    found: list[str] = []
    cursor = ""
    while True:
        page = await plane.services.runs.page(TENANT, cursor=cursor, limit=3)
        found += [run.run_id for run in page.runs]
        cursor = page.cursor
        if not cursor:
            break
    assert found == made[::-1]
    with pytest.raises(AirsideError):
        await plane.services.runs.page(TENANT, cursor="nonsense")


async def test_crashes_are_tried_again_and_then_given_up(plane: House) -> None:
    attempts: list[int] = []

    async def crashing(_: House, spec: AttemptSpec) -> bytes:
        attempts.append(spec.attempt)
        if spec.input == b'"once"' and spec.attempt == 2:
            return b'"survived"'
        raise Crash("the process died")

    plane.agents["shop"] = crashing
    run = await plane.submit(task=b'"once"')
    assert (await plane.until(run, RunState.SUCCEEDED, RunState.FAILED)).state is RunState.SUCCEEDED
    run = await plane.submit()
    await plane.until(run, RunState.FAILED)
    failed = await plane.services.runs.get(TENANT, run.run_id)
    assert (failed.code, failed.crashes, failed.attempt) == ("agent_failed", 3, 3)
    assert "the process died" in failed.message


async def test_how_an_agent_fails_decides_the_state(plane: House) -> None:
    async def failing(_: House, spec: AttemptSpec) -> bytes:
        if spec.input == b'"budget"':
            raise AirsideError(Code.BUDGET_EXHAUSTED, "run has $0.00 left")
        if spec.input == b'"denied"':
            raise AirsideError(Code.POLICY_DENIED, "no refunds")
        raise ValueError("a bug")

    plane.agents["shop"] = failing
    budget, denied, bug = [await plane.submit(task=task) for task in (b'"budget"', b'"denied"', b'"bug"')]
    assert (await plane.until(budget, RunState.PARTIAL)).code == "budget_exhausted"
    result = json.loads(await plane.services.runs.result(TENANT, budget.run_id) or b"")
    assert result == {"text": "", "effects": [], "reason": "run has $0.00 left"}
    assert (await plane.until(denied, RunState.FAILED)).code == "policy_denied"
    assert (await plane.until(bug, RunState.FAILED)).code == "agent_failed"


@pytest.mark.parametrize("code", ["budget_exhausted", "no_progress"])
async def test_an_agent_that_swallows_its_stop_ends_partial_with_the_last_text(plane: House, code: str) -> None:
    async def swallowing(_: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        key = await plane.services.runs._keyring.subject(who.tenant_id, who.subject)
        for text in ("So far I know this.", ""):
            call = world.call(text, identity=who, parts=(), kind=CallKind.MODEL, need=world.Need())
            await plane.backend.journal.open(world.opening(call))
            sealed = key.seal(json.dumps({"content": [{"type": "text", "text": text}], "role": "assistant"}).encode())
            await plane.backend.journal.close(replace(world.closing(call), outcome=sealed))
        refused = world.call("more", identity=who, parts=(), kind=CallKind.MODEL)
        event = events.refused(refused, CallState.BUDGET, Code(code), "enough is enough")
        await plane.backend.journal.refuse(refused, CallState.BUDGET, event, None, Refused(Code(code), ""))
        return b'"I could not finish."'

    plane.agents["shop"] = swallowing
    ended = await plane.until(await plane.submit(), RunState.PARTIAL)
    assert (ended.code, ended.message) == (code, "enough is enough")
    result = json.loads(await plane.services.runs.result(TENANT, ended.run_id) or b"")
    assert result == {
        "text": "So far I know this.",
        "effects": [],
        "reason": "enough is enough",
        "returned": "I could not finish.",
    }


async def test_an_agent_that_goes_on_after_a_refusal_succeeds(plane: House) -> None:
    async def thrifty(_: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        refused = world.call("much", identity=who, parts=(), kind=CallKind.MODEL)
        event = events.refused(refused, CallState.BUDGET, Code.BUDGET_EXHAUSTED, "too much")
        await plane.backend.journal.refuse(refused, CallState.BUDGET, event, None, Refused(Code.BUDGET_EXHAUSTED, ""))
        await plane.done(spec, kind=CallKind.MODEL, request="less")
        return b'"done"'

    plane.agents["shop"] = thrifty
    await plane.until(await plane.submit(), RunState.SUCCEEDED)


async def test_wall_time_ends_a_run_as_partial(url: str) -> None:
    async with house(url, budgets={"run": {"wall_s": 0.1}}) as plane:
        plane.agents["shop"] = forever
        run = await plane.submit()
        ended = await plane.until(run, RunState.PARTIAL)
        assert ended.code == "budget_exhausted"
        assert "wall_s" in ended.message
        assert 100_000 <= ended.running_us < 10_000_000
        assert json.loads(await plane.services.runs.result(TENANT, run.run_id) or b"")["reason"] == ended.message


async def test_cancel_in_each_state(plane: House) -> None:
    plane.agents["shop"] = forever
    running = await plane.submit()

    async def started() -> bool:
        return running.run_id in plane.processes

    await eventually(started, lambda: "the run did not start")
    await plane.services.runs.cancel(TENANT, running.run_id, "ann")
    ended = await plane.until(running, RunState.CANCELLED)
    assert ended.code == "cancelled"
    assert plane.processes[running.run_id].task.cancelled()
    assert (await plane.services.runs.cancel(TENANT, running.run_id, "ann")).version == ended.version
    for state in ("queued", "waiting_approval", "parked", "held"):
        run = await plane.submit(agent="shop")
        await plane.until(run, RunState.RUNNING)
        await plane.sql("UPDATE runs SET state = :state WHERE run_id = :run_id", state=state, run_id=run.run_id)
        cancelled = await plane.services.runs.cancel(TENANT, run.run_id, "ann")
        assert cancelled.state is RunState.CANCELLED
    plane.agents["shop"] = answer
    done = await plane.submit()
    await plane.until(done, RunState.SUCCEEDED)
    with pytest.raises(AirsideError) as error:
        await plane.services.runs.cancel(TENANT, done.run_id, "ann")
    assert error.value.code is Code.CONFLICT


async def test_a_token_dies_with_its_attempt(plane: House) -> None:
    plane.agents["shop"] = forever
    run = await plane.submit()

    async def started() -> bool:
        return bool(plane.specs)

    await eventually(started, lambda: "the run did not start")
    spec = plane.specs[0]
    assert (await plane.identity(spec)).run_id == run.run_id
    await plane.services.runs.cancel(TENANT, run.run_id, "ann")
    await plane.until(run, RunState.CANCELLED)
    with pytest.raises(AirsideError) as error:
        await plane.identity(spec)
    assert error.value.code is Code.CANCELLED
    for token in ("rt_unknown", "nonsense", "", "x" * 1_000):
        with pytest.raises(AirsideError) as error:
            await plane.services.identities.resolve(token, "")
        assert error.value.code is Code.UNAUTHENTICATED


async def test_a_restart_takes_up_what_was_queued_and_what_ran(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/airside.db"
    async with house(url) as before:
        before.agents["other"] = forever
        runs = [await before.submit("other") for _ in range(4)]
        await before.until(runs[1], RunState.RUNNING)
    async with house(url, "plane-2") as after:
        after.agents["other"] = answer
        for run in runs:
            ended = await after.until(run, RunState.SUCCEEDED)
            assert ended.crashes == 0
