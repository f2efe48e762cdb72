"""Opening and closing calls: fence, reservation, intent, settlement; the same on every backend."""

import asyncio

import msgspec
import pytest

from airside.core.budget import Blocked, Exhausted
from airside.core.call import CallKind, CallState, Effect, Need
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.core.ports import Admitted, Refused
from airside.journal.backend import Backend
from tests.journal import world

RESERVATIONS = ("reserved_nanousd", "reserved_tokens", "reserved_calls")


async def test_open_reserves_and_writes_the_intent(backend: Backend) -> None:
    call = world.call()
    verdict = await backend.journal.open(world.opening(call))
    assert isinstance(verdict, Admitted)
    assert (verdict.granted.nanousd, verdict.granted.tokens, verdict.occurrence) == (10_000_000, 10, 0)
    for node in call.who.budget_path:
        balance = await world.budget(backend.database, node)
        assert [balance[name] for name in RESERVATIONS] == [10_000_000, 10, 1]
        assert balance["turn_tool_calls"] == 1
    (entry,) = await world.fetch(backend.database, "entries")
    assert (entry["type"], entry["call_id"], entry["at_us"]) == ("call.intent", call.call_id, verdict.at_us)
    (content,) = await world.fetch(backend.database, "contents")
    assert bytes(content["sealed"]) == b"hello"
    (row,) = await world.fetch(backend.database, "call", tenant_id=world.TENANT, call_id=call.call_id)
    assert (row["state"], row["executor_id"], row["consumed"], row["delivered"]) == ("open", "gw-1", 1, 1)


async def test_close_settles_and_writes_the_outcome(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    at_us = (await backend.journal.close(world.closing(call, upstream="scripted"))).at_us
    for node in call.who.budget_path:
        balance = await world.budget(backend.database, node)
        assert [balance[name] for name in RESERVATIONS] == [0, 0, 0]
        assert (balance["spent_nanousd"], balance["spent_tokens"], balance["spent_calls"]) == (4_000_000, 7, 1)
    known = await backend.journal.look(world.who(), call.call_id)
    assert known is not None
    assert (known.state, known.outcome, known.sealed) == (CallState.OK, world.digest("done"), b"done")
    assert (known.closed_us, known.upstream, known.effect) == (at_us, "scripted", Effect.WRITE)
    assert [entry["type"] for entry in await world.fetch(backend.database, "entries")] == [
        "call.intent",
        "call.outcome",
    ]


async def test_unknown_usage_settles_at_the_full_reservation(backend: Backend) -> None:
    await world.done(backend.journal, world.call(), state=CallState.LOST, cost=None, tokens=None)
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["spent_tokens"], balance["reserved_nanousd"]) == (10_000_000, 10, 0)


async def test_excess_over_the_reservation_is_charged(backend: Backend) -> None:
    await world.done(backend.journal, world.call(), cost=700_000_000, tokens=20)
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["spent_tokens"]) == (700_000_000, 20)
    assert isinstance(await backend.journal.open(world.opening(world.call())), Exhausted)


async def test_a_repeated_close_settles_once(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    first = await backend.journal.close(world.closing(call))
    again = await asyncio.gather(*[backend.journal.close(world.closing(call, CallState.ERROR)) for _ in range(3)])
    assert again == [first] * 3
    assert (await world.budget(backend.database))["spent_calls"] == 1
    assert len(await world.fetch(backend.database, "entries")) == 2


async def test_closing_an_unknown_call_changes_nothing(backend: Backend) -> None:
    await backend.journal.close(world.closing(world.call()))
    assert await world.fetch(backend.database, "entries") == []
    assert (await world.budget(backend.database))["spent_calls"] == 0


async def test_a_superseded_attempt_is_refused(backend: Backend) -> None:
    call = world.call()
    await world.next_attempt(backend.database)
    verdict = await backend.journal.open(world.opening(call))
    assert isinstance(verdict, Refused)
    assert verdict.code is Code.ATTEMPT_SUPERSEDED
    assert await world.fetch(backend.database, "entries") == []
    assert (await world.budget(backend.database))["reserved_calls"] == 0


async def test_an_outcome_is_recorded_even_after_the_attempt_was_superseded(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    await world.next_attempt(backend.database)
    await backend.journal.close(world.closing(call))
    known = await backend.journal.look(world.who(), call.call_id)
    assert known is not None
    assert known.state is CallState.OK


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("cancelled", "cancelled", Code.CANCELLED),
        ("cancelled", "killed", Code.KILLED),
        ("held", "killed", Code.KILLED),
        ("succeeded", "", Code.ATTEMPT_SUPERSEDED),
        ("queued", "", Code.ATTEMPT_SUPERSEDED),
    ],
)
async def test_a_run_that_does_not_run_makes_no_calls(backend: Backend, state: str, code: str, expected: Code) -> None:
    key = {"tenant_id": world.TENANT, "run_id": world.RUN}
    await world.execute(backend.database, "set_run", **key, state=state, attempt=1, code=code)
    verdict = await backend.journal.open(world.opening(world.call()))
    assert isinstance(verdict, Refused)
    assert verdict.code is expected


@pytest.mark.parametrize("identity", [world.who("run_none"), world.who(attempt=9), world.who(tenant_id="other")])
async def test_unknown_runs_attempts_and_tenants_are_refused(backend: Backend, identity: object) -> None:
    verdict = await backend.journal.open(world.opening(world.call(identity=identity)))
    assert isinstance(verdict, Refused)
    assert verdict.code is Code.ATTEMPT_SUPERSEDED


async def test_a_missing_budget_node_fails_closed_and_alone(backend: Backend) -> None:
    stray = world.call(identity=world.who(budget_path=("tenant:default", "run:none")))
    good = [world.call(f"r{number}") for number in range(3)]
    results = await asyncio.gather(
        *[backend.journal.open(world.opening(call)) for call in (good[0], stray, *good[1:])], return_exceptions=True
    )
    assert isinstance(results[1], AirsideError)
    assert [type(result) for index, result in enumerate(results) if index != 1] == [Admitted] * 3
    assert (await world.budget(backend.database))["reserved_calls"] == 3
    assert (await world.budget(backend.database, "tenant:default"))["reserved_calls"] == 3


async def test_exhausted_names_the_node_and_writes_nothing(backend: Backend) -> None:
    call = world.call(need=Need(fixed_nanousd=NanoUsd(500_000_001)))
    verdict = await backend.journal.open(world.opening(call))
    assert verdict == Exhausted("run:run_1", "usd", 500_000_000, 0)
    assert await world.fetch(backend.database, "calls") == []
    assert await world.fetch(backend.database, "contents") == []


async def test_blocked_by_a_reservation_until_it_is_given_back(backend: Backend) -> None:
    most = world.call("a", need=Need(fixed_nanousd=NanoUsd(400_000_000)))
    waiting = world.call("b", need=Need(fixed_nanousd=NanoUsd(200_000_000)))
    most = await world.opened(backend.journal, most)
    assert await backend.journal.open(world.opening(waiting)) == Blocked("run:run_1", "usd")
    await backend.journal.close(world.closing(most, cost=100))
    assert isinstance(await backend.journal.open(world.opening(waiting)), Admitted)


async def test_output_tokens_are_lowered_to_what_is_affordable(backend: Backend) -> None:
    need = Need(output_tokens=8_192, output_tokens_min=1, nanousd_per_output_token=NanoUsd(1_000_000))
    verdict = await backend.journal.open(world.opening(world.call(kind=CallKind.MODEL, need=need)))
    assert isinstance(verdict, Admitted)
    assert verdict.granted.output_tokens == 500
    (row,) = await world.fetch(backend.database, "calls")
    assert (row["output_tokens_granted"], row["reserved_nanousd"]) == (500, 500_000_000)


async def test_a_turn_ends_with_the_models_answer(backend: Backend) -> None:
    for number in range(10):
        await world.done(backend.journal, world.call(f"t{number}"))
    verdict = await backend.journal.open(world.opening(world.call("one more")))
    assert verdict == Exhausted("run:run_1", "turn_tool_calls", 10, 10)
    await world.done(backend.journal, world.call("m", kind=CallKind.MODEL, effect=Effect.READ))
    assert isinstance(await backend.journal.open(world.opening(world.call("one more"))), Admitted)


async def test_occurrences_count_per_request(backend: Backend) -> None:
    calls = [await world.opened(backend.journal, world.call(text)) for text in ("a", "a", "b", "a")]
    assert [call.occurrence for call in calls] == [0, 1, 0, 2]


async def test_concurrent_equal_requests_get_different_occurrences(backend: Backend) -> None:
    verdicts = await asyncio.gather(*[backend.journal.open(world.opening(world.call("a"))) for _ in range(10)])
    assert sorted(verdict.occurrence for verdict in verdicts if isinstance(verdict, Admitted)) == list(range(10))


async def test_a_retry_reuses_the_row_and_adds_to_its_cost(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    await backend.journal.close(world.closing(call, CallState.TRANSIENT, cost=1_000))
    again = msgspec.structs.replace(call, try_number=2)
    verdict = await backend.journal.open(world.opening(again))
    assert isinstance(verdict, Admitted)
    assert verdict.occurrence == 0
    await backend.journal.close(world.closing(again, cost=2_000))
    (row,) = await world.fetch(backend.database, "calls")
    assert (row["state"], row["try_number"], row["cost_nanousd"], row["tokens"]) == ("ok", 2, 3_000, 14)
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["spent_calls"], balance["reserved_calls"]) == (3_000, 2, 0)


async def test_a_resend_settles_the_dead_executors_reservation_first(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call())
    second = await world.next_attempt(backend.database)
    again = msgspec.structs.replace(call, identity=second, try_number=2)
    assert isinstance(await backend.journal.open(world.opening(again, "gw-2")), Admitted)
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["reserved_nanousd"]) == (10_000_000, 10_000_000)
    assert (balance["spent_calls"], balance["reserved_calls"]) == (1, 1)
    (row,) = await world.fetch(backend.database, "calls")
    assert (row["executor_id"], row["attempt"], row["cost_nanousd"]) == ("gw-2", 2, 10_000_000)


async def test_a_resend_that_is_refused_leaves_the_call_as_it_was(backend: Backend) -> None:
    call = await world.opened(backend.journal, world.call(need=Need(fixed_nanousd=NanoUsd(300_000_000))))
    before = await world.budget(backend.database)
    verdict = await backend.journal.open(world.opening(msgspec.structs.replace(call, try_number=2)))
    assert verdict == Exhausted("run:run_1", "usd", 500_000_000, 300_000_000)
    assert await world.budget(backend.database) == before
    await backend.journal.close(world.closing(call, cost=5))
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["reserved_nanousd"]) == (5, 0)


@pytest.mark.parametrize("state", [CallState.OK, CallState.ERROR, CallState.HELD])
async def test_a_call_with_an_outcome_never_leaves_again(backend: Backend, state: CallState) -> None:
    call = await world.done(backend.journal, world.call(), state=state)
    verdict = await backend.journal.open(world.opening(call))
    assert isinstance(verdict, Refused)
    assert (await world.budget(backend.database))["reserved_calls"] == 0


async def test_a_cancelled_caller_does_not_undo_its_operation_nor_its_neighbours(backend: Backend) -> None:
    calls = [world.call(f"c{number}") for number in range(8)]
    tasks = [asyncio.create_task(backend.journal.open(world.opening(call))) for call in calls]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[1::2]] == [Admitted] * 4
    await backend.journal.open(world.opening(world.call("last")))
    # An operation that was handed in is done as a whole or not at all; its neighbours are done.
    rows = {row["call_id"] for row in await world.fetch(backend.database, "calls")}
    balance = await world.budget(backend.database)
    assert balance["reserved_calls"] == len(rows) >= 5
    assert len(await world.fetch(backend.database, "entries")) == len(rows)


@pytest.mark.parametrize("text", ["\ud800 lone", "a\x00b", "ünï", "x" * 100_000])
async def test_no_message_keeps_an_outcome_out(backend: Backend, text: str) -> None:
    call = await world.done(backend.journal, world.call(), state=CallState.ERROR, message=text, upstream=text)
    known = await backend.journal.look(world.who(), call.call_id)
    assert known is not None
    assert known.state is CallState.ERROR
    assert known.message


@pytest.mark.parametrize("amount", [2**63, 2**70, -5])
async def test_absurd_usage_neither_overflows_nor_pays_back(backend: Backend, amount: int) -> None:
    await world.done(backend.journal, world.call(), cost=amount, tokens=amount)
    balance = await world.budget(backend.database)
    assert balance["spent_nanousd"] >= 0
    assert (balance["reserved_nanousd"], balance["spent_calls"]) == (0, 1)
    assert isinstance(
        await backend.journal.open(world.opening(world.call("next"))), Exhausted if amount > 0 else Admitted
    )


async def test_an_absurd_need_fails_alone(backend: Backend) -> None:
    absurd = world.call(
        "absurd", need=Need(fixed_nanousd=NanoUsd(2**70)), identity=world.who(budget_path=("tenant:default",))
    )
    results = await asyncio.gather(
        *[backend.journal.open(world.opening(call)) for call in (absurd, world.call())], return_exceptions=True
    )
    assert isinstance(results[0], AirsideError | Exhausted)
    assert isinstance(results[1], Admitted)
