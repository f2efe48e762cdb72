"""Replay from the journal: which recorded call an attempt is given, and that it is given it once."""

import asyncio

import pytest

from airside.core.call import CallState, Effect
from airside.core.errors import Code
from airside.core.ports import Recorded, Refused
from airside.journal import events
from airside.journal.backend import Backend
from tests.journal import world


async def test_an_attempt_does_not_replay_its_own_calls(backend: Backend) -> None:
    call = await world.done(backend.journal, world.call())
    assert await backend.journal.claim(world.who(), call.request_hash) is None


async def test_the_next_attempt_gets_each_occurrence_once_lowest_first(backend: Backend) -> None:
    calls = [await world.done(backend.journal, world.call("a"), answer=f"answer {number}") for number in range(3)]
    second = await world.next_attempt(backend.database)
    claimed = [await backend.journal.claim(second, calls[0].request_hash) for _ in range(4)]
    assert [found and found.call_id for found in claimed] == [*[call.call_id for call in calls], None]
    assert [found.sealed for found in claimed if found] == [b"answer 0", b"answer 1", b"answer 2"]


async def test_concurrent_claims_get_different_occurrences(backend: Backend) -> None:
    calls = [await world.done(backend.journal, world.call("a")) for _ in range(6)]
    second = await world.next_attempt(backend.database)
    claimed = await asyncio.gather(*[backend.journal.claim(second, calls[0].request_hash) for _ in range(9)])
    found = [one.call_id for one in claimed if one]
    assert sorted(found) == sorted(call.call_id for call in calls)


@pytest.mark.parametrize("state", list(CallState))
async def test_only_answers_errors_denials_open_and_held_calls_replay(backend: Backend, state: CallState) -> None:
    call = await world.opened(backend.journal, world.call())
    if state is not CallState.OPEN:
        await backend.journal.close(world.closing(call, state))
    second = await world.next_attempt(backend.database)
    found = await backend.journal.claim(second, call.request_hash)
    replays = {CallState.OPEN, CallState.OK, CallState.ERROR, CallState.DENIED, CallState.HELD}
    assert (found is not None) == (state in replays)
    if found:
        assert found.state is state


async def test_other_runs_and_tenants_claim_nothing(backend: Backend) -> None:
    call = await world.done(backend.journal, world.call())
    await world.start_run(backend.database, "run_2")
    for identity in (world.who("run_2", 2), world.who(attempt=2, tenant_id="other")):
        assert await backend.journal.claim(identity, call.request_hash) is None
        assert await backend.journal.look(identity, call.call_id) is None


async def test_a_zombie_claims_nothing_that_its_successor_consumed(backend: Backend) -> None:
    call = await world.done(backend.journal, world.call())
    second = await world.next_attempt(backend.database)
    assert await backend.journal.claim(second, call.request_hash)
    assert await backend.journal.claim(world.who(), call.request_hash) is None


async def test_a_request_whose_client_vanished_is_joined_once(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    assert await backend.journal.claim(world.who(), call.request_hash) is None
    await backend.journal.abandon(world.who(), call.call_id)
    await backend.journal.close(world.closing(call))  # delivered=True keeps what abandon noted
    joined = await backend.journal.claim(world.who(), call.request_hash)
    assert joined is not None
    assert joined.call_id == call.call_id
    assert await backend.journal.claim(world.who(), call.request_hash) is None


async def test_a_close_that_was_not_delivered_is_joined(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    await backend.journal.close(world.closing(call, delivered=False))
    assert await backend.journal.claim(world.who(), call.request_hash)
    assert await backend.journal.claim(world.who(), call.request_hash) is None


async def test_a_replayed_answer_whose_client_vanished_is_joined_again(backend: Backend) -> None:
    call = await world.done(backend.journal, world.call())
    second = await world.next_attempt(backend.database)
    assert await backend.journal.claim(second, call.request_hash)
    await backend.journal.abandon(second, call.call_id)
    assert await backend.journal.claim(second, call.request_hash)
    assert await backend.journal.claim(second, call.request_hash) is None


async def test_a_late_close_of_an_older_attempt_does_not_unclaim(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    second = await world.next_attempt(backend.database)
    assert await backend.journal.claim(second, call.request_hash)
    await backend.journal.abandon(world.who(), call.call_id)
    await backend.journal.close(world.closing(call, delivered=False))
    assert await backend.journal.claim(second, call.request_hash) is None


async def _alive(backend: Backend, executor_id: str) -> bool:
    call = await world.opened(backend.journal, world.call(executor_id))
    await backend.journal.close(world.closing(call, CallState.TRANSIENT))
    await backend.journal.open(world.opening(call, executor_id))
    found = await backend.journal.look(world.who(), call.call_id)
    assert found is not None
    assert found.executor_id == executor_id
    return found.executor_alive


async def test_an_executor_is_alive_while_its_lease_lasts(backend: Backend) -> None:
    assert not await _alive(backend, "gw-never-seen")
    await world.execute(backend.database, "set_executor", executor_id="gw-7", lease_until_us=world.FAR_US)
    assert await _alive(backend, "gw-7")
    await world.execute(backend.database, "set_executor", executor_id="gw-7", lease_until_us=5)
    assert not await _alive(backend, "gw-7")


async def test_an_attempt_as_executor_is_alive_until_it_ends(backend: Backend) -> None:
    name = world.who().executor_of_attempt
    assert await _alive(backend, name)
    assert not await _alive(backend, world.who(attempt=2).executor_of_attempt)
    call = await world.opened(backend.journal, world.call("x"))
    await backend.journal.close(world.closing(call, CallState.TRANSIENT))
    await backend.journal.open(world.opening(call, name))
    second = await world.next_attempt(backend.database)
    found = await backend.journal.claim(second, call.request_hash)
    assert found is not None
    assert not found.executor_alive


async def _refuse(backend: Backend, state: CallState, text: str = "bad") -> Recorded | None:
    call = world.call(text)
    event = events.refused(call, state, Code.POLICY_DENIED, "no rule")
    error = Refused(Code.POLICY_DENIED, "no rule")
    await backend.journal.refuse(call, state, event, world.sealed("denied"), error)
    return await backend.journal.look(world.who(), call.call_id)


async def test_a_denial_replays_without_having_cost_anything(backend: Backend) -> None:
    known = await _refuse(backend, CallState.DENIED)
    assert known is not None
    assert (known.state, known.code, known.message, known.sealed) == ("denied", "policy_denied", "no rule", b"denied")
    assert (await world.budget(backend.database))["spent_calls"] == 0
    second = await world.next_attempt(backend.database)
    assert await backend.journal.claim(second, world.digest("bad"))
    assert await backend.journal.claim(second, world.digest("bad")) is None
    assert [entry["type"] for entry in await world.fetch(backend.database, "entries")] == ["call.refused"]


async def test_a_refusal_that_does_not_replay_leaves_only_its_entry(backend: Backend) -> None:
    assert await _refuse(backend, CallState.BUDGET) is None
    assert len(await world.fetch(backend.database, "entries")) == 1
    second = await world.next_attempt(backend.database)
    assert await backend.journal.claim(second, world.digest("bad")) is None


async def test_a_refusal_of_a_known_call_leaves_its_row(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    event = events.refused(call, CallState.DENIED, Code.POLICY_DENIED, "")
    await backend.journal.refuse(call, CallState.DENIED, event, None, Refused(Code.POLICY_DENIED, ""))
    known = await backend.journal.look(world.who(), call.call_id)
    assert known is not None
    assert known.state is CallState.OPEN
    assert len(await world.fetch(backend.database, "entries")) == 2


async def test_counts_of_effects_and_calls_in_flight(backend: Backend) -> None:
    journal = backend.journal
    await world.done(journal, world.call("write"))
    await world.done(journal, world.call("read", effect=Effect.READ))
    await world.done(journal, world.call("gone"), state=CallState.TRANSIENT)
    pending = await world.opened(journal, world.call("open"))
    assert (await journal.unconsumed_effects(world.who()), await journal.in_flight(world.who())) == (0, 1)
    second = await world.next_attempt(backend.database)
    assert (await journal.unconsumed_effects(second), await journal.in_flight(second)) == (2, 0)
    assert await journal.claim(second, world.digest("write"))
    assert await journal.unconsumed_effects(second) == 1
    await journal.close(world.closing(pending))
    assert await journal.in_flight(world.who()) == 0
