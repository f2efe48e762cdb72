"""What tests of the review queue share: an agent that asks for a refund, people, and the way to its end."""

import asyncio
import json
from typing import Any

from msgspec.structs import replace

from airside.core.run import Role, RunState
from airside.runs.isolation.port import AttemptSpec
from airside.runs.record import RunRecord
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.filters import Filter
from tests.journal import world
from tests.runs.house import TENANT, House

ANN = Person("ann", "key_1", Role.REVIEWER)
ANN_AGAIN = Person("ann", "key_2", Role.ADMIN)
BOB = Person("bob", "key_3", Role.REVIEWER)


async def refunding(plane: House, spec: AttemptSpec) -> bytes:
    """An agent that asks for a refund of 80, carries it out if it may, and says what it was told."""
    call, state = await plane.ask(spec, 80)
    if state.state == "pending":
        await asyncio.Event().wait()
    if state.state != "approved":
        return json.dumps({"told": state.state, "reason": state.reason}).encode()
    opening = world.opening(replace(call, approval_id=state.approval_id), plane.backend.journal.executor_id)
    verdict = await plane.backend.journal.open(opening)
    await plane.backend.journal.close(world.closing(call, cost=0, tokens=0))
    arguments = state.edited_arguments or b'{"amount":80}'
    return json.dumps({"told": type(verdict).__name__, "arguments": json.loads(arguments)}).encode()


async def asked(plane: House, **submission: Any) -> tuple[RunRecord, str]:
    """Return a run that waits for a reviewer, and its approval."""
    plane.agents["shop"] = refunding
    run = await plane.submit(**submission)
    await plane.until(run, RunState.WAITING_APPROVAL)
    page = await plane.services.reviews.page(TENANT, Filter(state="pending", run_id=run.run_id))
    (review,) = page.reviews
    return run, review.approval_id


async def told(plane: House, run: RunRecord) -> Any:
    """Return what the agent said at its end."""
    await plane.until(run, RunState.SUCCEEDED)
    return json.loads(await plane.services.runs.result(TENANT, run.run_id) or b"null")
