"""Invariant 4 at the review queue: one decision, one call, a deadline; and a run that waits holds no worker."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.core.ports import ApprovalState
from airside.core.run import RunState
from airside.runs.isolation.port import AttemptSpec
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.filters import Filter
from tests.journal import world
from tests.runs.house import TENANT, House, eventually, house

ANN = Person("ann")


async def refunding(plane: House, spec: AttemptSpec) -> bytes:
    """An agent that asks for a refund of 80, carries it out if it may, and says what it was told."""
    call, state = await plane.ask(spec, 80)
    if state.state == "pending":
        await asyncio.Event().wait()
    if state.state != "approved":
        return json.dumps({"told": state.state, "reason": state.reason}).encode()
    arguments = state.edited_arguments or b'{"amount":80}'
    verdict = await plane.backend.journal.open(
        world.opening(replace(call, approval_id=state.approval_id), plane.backend.journal.executor_id)
    )
    await plane.backend.journal.close(world.closing(call, cost=0, tokens=0))
    return json.dumps({"told": type(verdict).__name__, "arguments": json.loads(arguments)}).encode()


async def waiting(plane: House) -> tuple[Any, Any]:
    """Return a run that waits for a reviewer, and its approval."""
    plane.agents["shop"] = refunding
    run = await plane.submit()
    await plane.until(run, RunState.WAITING_APPROVAL)
    page = await plane.services.reviews.page(TENANT, Filter(state="pending", run_id=run.run_id))
    assert len(page.reviews) == 1
    return run, page.reviews[0].approval_id


async def told(plane: House, run: Any) -> Any:
    await plane.until(run, RunState.SUCCEEDED)
    return json.loads(await plane.services.runs.result(TENANT, run.run_id) or b"null")


async def test_approve_lets_the_call_leave_once(plane: House) -> None:
    run, approval = await waiting(plane)
    shown = await plane.services.reviews.show(TENANT, approval)
    assert shown.arguments == {"amount": 80}
    assert shown.decision["reasons"][0]["because"] == "over $50"
    assert shown.tool == "refund"
    decided = await plane.services.reviews.approve(TENANT, approval, ANN, reason="fine")
    assert (decided.state, decided.decided_by) == ("approved", "ann")
    assert await told(plane, run) == {"told": "Admitted", "arguments": {"amount": 80}}
    assert (await plane.services.reviews.show(TENANT, approval)).consumed_by
    assert (await plane.services.runs.get(TENANT, run.run_id)).attempt == 2


async def test_an_edit_reaches_the_agent_and_is_kept_sealed(plane: House) -> None:
    run, approval = await waiting(plane)
    await plane.services.reviews.approve(TENANT, approval, ANN, arguments=b'{"amount": 40, "why": "half"}')
    assert (await told(plane, run))["arguments"] == {"amount": 40, "why": "half"}
    shown = await plane.services.reviews.show(TENANT, approval)
    assert (shown.arguments, shown.edited_arguments) == ({"amount": 80}, {"amount": 40, "why": "half"})


@pytest.mark.parametrize("edit", [b"[1]", b"{", b'{"a":1,"a":2}', b"NaN"])
async def test_an_edit_that_is_no_object_decides_nothing(edit: bytes) -> None:
    async with house("memory:") as plane:
        _, approval = await waiting(plane)
        with pytest.raises(AirsideError) as error:
            await plane.services.reviews.approve(TENANT, approval, ANN, arguments=edit)
        assert error.value.code is Code.INVALID_REQUEST
        assert (await plane.services.reviews.show(TENANT, approval)).state == "pending"


async def test_a_denial_is_told_with_its_reason(plane: House) -> None:
    run, approval = await waiting(plane)
    await plane.services.reviews.deny(TENANT, approval, ANN, reason="too much")
    assert await told(plane, run) == {"told": "denied", "reason": "too much"}


async def test_of_many_deciders_one_wins(plane: House) -> None:
    run, approval = await waiting(plane)
    reviews = plane.services.reviews

    async def decide(n: int) -> str:
        try:
            if n % 2:
                await reviews.approve(TENANT, approval, Person(f"person {n}"))
            else:
                await reviews.deny(TENANT, approval, Person(f"person {n}"), reason="no")
        except AirsideError as error:
            return "lost" if error.code is Code.CONFLICT else error.code
        return f"person {n}"

    outcomes = await asyncio.gather(*(decide(n) for n in range(8)))
    winners = [name for name in outcomes if name != "lost"]
    assert len(winners) == 1
    assert (await reviews.show(TENANT, approval)).decided_by == winners[0]
    await plane.until(run, RunState.SUCCEEDED)
    decided = await plane.sql("SELECT body FROM entries WHERE type = 'approval.decided'")
    assert len(decided) == 1


async def test_another_tenant_decides_nothing(plane: House) -> None:
    _, approval = await waiting(plane)
    for decide in (plane.services.reviews.approve, plane.services.reviews.show):
        with pytest.raises(AirsideError) as error:
            await decide("other", approval, *([Person("eve")] if decide == plane.services.reviews.approve else []))
        assert error.value.code is Code.NOT_FOUND


async def test_nobody_decides_in_time(plane: House) -> None:
    run, approval = await waiting(plane)
    await plane.sql("UPDATE approvals SET decide_by_us = 1")
    with pytest.raises(AirsideError) as error:
        await plane.services.reviews.approve(TENANT, approval, ANN)
    assert error.value.code is Code.CONFLICT
    await plane.services.sweeper.sweep()
    assert (await told(plane, run))["told"] == "expired"


async def test_an_approval_not_used_in_time_expires(url: str) -> None:
    async with house(url, policy={"approval_use_by_s": 0.000001}) as plane:
        run, approval = await waiting(plane)
        await plane.services.reviews.approve(TENANT, approval, ANN)
        assert (await told(plane, run))["told"] == "expired"


async def test_two_equal_calls_need_two_approvals(plane: House) -> None:
    seen: list[ApprovalState] = []

    async def twice(plane: House, spec: AttemptSpec) -> bytes:
        answers = await asyncio.gather(plane.ask(spec), plane.ask(spec))
        seen[:] = [state for _, state in answers]
        if any(state.state == "pending" for state in seen):
            await asyncio.Event().wait()
        return b"null"

    plane.agents["shop"] = twice
    run = await plane.submit()
    await plane.until(run, RunState.WAITING_APPROVAL)
    page = await plane.services.reviews.page(TENANT, Filter(state="pending"))
    assert len(page.reviews) == 2
    first, second = [review.approval_id for review in page.reviews]
    await plane.services.reviews.approve(TENANT, first, ANN)
    assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.WAITING_APPROVAL
    await plane.services.reviews.deny(TENANT, second, ANN, reason="one is enough")
    await plane.until(run, RunState.SUCCEEDED)
    assert {state.approval_id for state in seen} == {first, second}


async def test_an_approval_that_served_a_call_serves_no_other(plane: House) -> None:
    states: list[str] = []

    async def again(plane: House, spec: AttemptSpec) -> bytes:
        if spec.attempt <= 2:
            return await refunding(plane, spec) if spec.attempt == 1 else await _then_ask_again(plane, spec, states)
        return b"null"

    plane.agents["shop"] = again
    run = await plane.submit()
    await plane.until(run, RunState.WAITING_APPROVAL)
    page = await plane.services.reviews.page(TENANT, Filter(state="pending"))
    await plane.services.reviews.approve(TENANT, page.reviews[0].approval_id, ANN)

    async def asked_again() -> bool:
        return len((await plane.services.reviews.page(TENANT)).reviews) == 2

    await eventually(asked_again, lambda: "no second approval was asked for")
    await plane.until(run, RunState.WAITING_APPROVAL)
    assert states == ["approved", "pending"]


async def _then_ask_again(plane: House, spec: AttemptSpec, states: list[str]) -> bytes:
    call, state = await plane.ask(spec)
    approved = replace(call, approval_id=state.approval_id)
    await plane.backend.journal.open(world.opening(approved, plane.backend.journal.executor_id))
    await plane.backend.journal.close(world.closing(approved, cost=0, tokens=0))
    _, second = await plane.ask(spec)
    states += [state.state, second.state]
    await asyncio.Event().wait()
    return b""


async def test_while_the_run_suspends_no_call_is_answered(plane: House) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def asking(plane: House, spec: AttemptSpec) -> bytes:
        await plane.ask(spec)
        asked.set()
        await plane.identity(spec)
        answered.set()
        return b"null"

    plane.agents["shop"] = asking
    run = await plane.submit()
    await plane.until(run, RunState.WAITING_APPROVAL)
    assert asked.is_set()
    assert not answered.is_set()
    assert plane.processes[run.run_id].task.cancelled()


async def test_a_cancelled_run_leaves_nothing_to_decide(plane: House) -> None:
    run, approval = await waiting(plane)
    await plane.services.runs.cancel(TENANT, run.run_id, "ann")
    with pytest.raises(AirsideError) as error:
        await plane.services.reviews.approve(TENANT, approval, ANN)
    assert error.value.code is Code.CONFLICT
    assert (await plane.services.reviews.show(TENANT, approval)).state == "expired"
