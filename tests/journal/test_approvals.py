"""An approval is consumed with the intent: by one call, once, while it may be used."""

import asyncio
from typing import Any

import msgspec
import pytest

from airside.core.call import CallState, Need
from airside.core.errors import Code
from airside.core.money import NanoUsd
from airside.core.ports import Admitted, Exhausted, Refused
from airside.journal.backend import Backend
from tests.journal import world


async def _approval(backend: Backend, **changes: Any) -> None:
    known = {
        "tenant_id": world.TENANT,
        "approval_id": "apr_1",
        "run_id": world.RUN,
        "tool": "refund",
        "request_hash": world.digest("hello"),
        "state": "approved",
        "use_by_us": world.FAR_US,
    }
    await world.execute(backend.database, "add_approval", **(known | changes))


async def _consumed_by(backend: Backend) -> str:
    (row,) = await world.fetch(backend.database, "approval", tenant_id=world.TENANT, approval_id="apr_1")
    return str(row["consumed_by"])


async def test_an_approval_serves_one_call_and_its_retries(backend: Backend) -> None:
    await _approval(backend)
    call = await world.opened(backend.journal, world.call(approval_id="apr_1"))
    assert await _consumed_by(backend) == call.call_id
    other = await backend.journal.open(world.opening(world.call(approval_id="apr_1")))
    assert isinstance(other, Refused)
    assert other.code is Code.APPROVAL_EXPIRED
    await backend.journal.close(world.closing(call, CallState.TRANSIENT))
    again = msgspec.structs.replace(call, try_number=2)
    assert isinstance(await backend.journal.open(world.opening(again)), Admitted)


async def test_of_many_calls_at_once_one_gets_the_approval(backend: Backend) -> None:
    await _approval(backend)
    calls = [world.call(approval_id="apr_1") for _ in range(8)]
    verdicts = await asyncio.gather(*[backend.journal.open(world.opening(call)) for call in calls])
    assert sum(isinstance(verdict, Admitted) for verdict in verdicts) == 1
    assert (await world.budget(backend.database))["reserved_calls"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "pending"},
        {"state": "denied"},
        {"state": "expired"},
        {"use_by_us": 5},
        {"run_id": "run_other"},
        {"tool": "transfer"},
        {"request_hash": world.digest("another call")},
        {"tenant_id": "other"},
        {"approval_id": "apr_2"},
    ],
)
async def test_what_is_not_an_approval_of_this_call_refuses_it(backend: Backend, changes: dict[str, Any]) -> None:
    await _approval(backend, **changes)
    verdict = await backend.journal.open(world.opening(world.call(approval_id="apr_1")))
    assert isinstance(verdict, Refused)
    assert verdict.code is Code.APPROVAL_EXPIRED
    assert (await world.budget(backend.database))["reserved_calls"] == 0


async def test_a_call_without_budget_does_not_use_its_approval_up(backend: Backend) -> None:
    await _approval(backend)
    dear = world.call(approval_id="apr_1", need=Need(fixed_nanousd=NanoUsd(600_000_000)))
    assert isinstance(await backend.journal.open(world.opening(dear)), Exhausted)
    assert await _consumed_by(backend) == ""
    assert isinstance(await backend.journal.open(world.opening(world.call(approval_id="apr_1"))), Admitted)


async def test_an_edited_call_uses_the_approval_of_what_was_asked_and_stays_marked(backend: Backend) -> None:
    await _approval(backend)
    edited = await world.opened(backend.journal, world.call("hello, but less", approval_id="apr_1", edited=True))
    # Who sweeps up after a dead executor does not know about the edit.
    await backend.journal.close(world.closing(msgspec.structs.replace(edited, edited=False)))
    known = await backend.journal.look(world.who(), edited.call_id)
    assert known is not None
    assert (known.edited, known.approval_id) == (True, "apr_1")
