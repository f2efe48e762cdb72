"""The journal while Postgres crashes, drops connections, or is shared: nothing is lost, nothing counts twice."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import psycopg
import pytest

from airside.config.settings import DatabaseSettings
from airside.core.budget import Blocked, Exhausted
from airside.core.call import Call, CallKind, CallState, Need
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.core.ports import Admitted, Journal, Transaction
from airside.journal.backend import Backend, connect
from airside.journal.postgres import database
from airside.journal.postgres.transaction import SQL
from benchmarks.throwaway import ThrowawayPostgres
from tests.journal import world

pytestmark = pytest.mark.postgres

PRICE = 1_000
CALLS = 50


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def backend(backend: Backend, url: str) -> Backend:
    """The world's backend, with dollars as the only limit that can be met."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("UPDATE budgets SET limit_calls = NULL, limit_tokens = NULL")
    return backend


@pytest.fixture
async def second(url: str, backend: Backend) -> AsyncIterator[Backend]:
    """Another gateway process on the same database, as far as the journal can tell."""
    connected = await connect(url, settings=DatabaseSettings(), executor_id="gw-2")
    yield connected
    await connected.close()


def model_call(request: str, **changes: object) -> Call:
    need = Need(fixed_nanousd=NanoUsd(PRICE), fixed_tokens=1)
    return world.call(request, kind=CallKind.MODEL, need=need, **changes)


async def spend(journal: Journal, enough: Callable[[], bool]) -> int:
    """Make calls until there are enough, and return how many left."""
    left = 0
    while not enough():
        call = model_call(f"request {left % 10}")
        verdict = await journal.open(world.opening(call, journal.executor_id))
        while isinstance(verdict, Blocked):
            verdict = await journal.open(world.opening(call, journal.executor_id))
        if isinstance(verdict, Admitted):
            left += 1
            await journal.close(world.closing(call, cost=PRICE, tokens=1, answer=call.call_id))
        else:
            assert isinstance(verdict, Exhausted)
    return left


async def load(journals: list[Journal], disturb: Callable[[], object]) -> int:
    """Make calls from 12 clients before, while and after `disturb` runs in a thread; return how many left."""
    finished = calls = 0

    def enough() -> bool:
        nonlocal calls
        calls += 1
        if calls == CALLS:
            undisturbed.set()
        return bool(finished) and calls > finished + CALLS

    undisturbed = asyncio.Event()
    clients = [asyncio.create_task(spend(journals[n % len(journals)], enough)) for n in range(12)]
    await undisturbed.wait()
    await asyncio.to_thread(disturb)
    finished = calls
    return sum(await asyncio.gather(*clients))


async def assert_consistent(backend: Backend, left: int) -> None:
    """Every call that left has one intent, one outcome and its price on every node; nothing is reserved."""
    calls = await world.fetch(backend.database, "calls")
    assert [call["state"] for call in calls] == ["ok"] * left
    assert len({(call["request_hash"], call["occurrence"]) for call in calls}) == left
    entries = await world.fetch(backend.database, "entries")
    assert Counter(entry["type"] for entry in entries) == {"call.intent": left, "call.outcome": left}
    assert len({(entry["type"], entry["call_id"]) for entry in entries}) == 2 * left
    for node in world.who().budget_path:
        balance = await world.budget(backend.database, node)
        assert (balance["spent_calls"], balance["spent_nanousd"]) == (left, left * PRICE)
        assert (balance["reserved_calls"], balance["reserved_nanousd"], balance["reserved_tokens"]) == (0, 0, 0)


async def test_two_gateways_on_a_hot_node_never_pass_its_limit(backend: Backend, second: Backend) -> None:
    await world.execute(
        backend.database, "set_limit", tenant_id=world.TENANT, node=world.who().budget_path[0], nanousd=37 * PRICE
    )
    asked = iter(range(200))
    spending = [spend(journal, lambda: next(asked, None) is None) for journal in [backend.journal, second.journal] * 20]
    assert sum(await asyncio.gather(*spending)) == 37
    await assert_consistent(backend, 37)


async def test_a_crash_of_the_server_in_mid_load_loses_nothing(
    backend: Backend, second: Backend, postgres_server: ThrowawayPostgres
) -> None:
    def crash() -> None:
        postgres_server.crash()
        postgres_server.start()

    await assert_consistent(backend, await load([backend.journal, second.journal], crash))


async def test_a_restart_of_the_server_in_mid_load_loses_nothing(
    backend: Backend, postgres_server: ThrowawayPostgres
) -> None:
    def restart() -> None:
        postgres_server.stop()
        postgres_server.start()

    await assert_consistent(backend, await load([backend.journal], restart))


async def test_terminated_connections_in_mid_load_lose_nothing(backend: Backend, second: Backend, url: str) -> None:
    def terminate() -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            for _ in range(20):
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'airside' AND datname = current_database()"
                )

    await assert_consistent(backend, await load([backend.journal, second.journal], terminate))


async def test_a_poisoned_operation_fails_alone(backend: Backend) -> None:
    good = [model_call(f"good {number}") for number in range(8)]
    bad = [
        model_call("text that Postgres cannot hold", call_id="call_\x00"),
        model_call("a budget node that does not exist", identity=world.who(budget_path=("tenant:nobody",))),
        model_call("a number beyond 64 bits", try_number=2**70),
    ]
    openings = [world.opening(call) for call in [*good[:4], *bad, *good[4:]]]
    verdicts = await asyncio.gather(*map(backend.journal.open, openings), return_exceptions=True)
    failed = verdicts[4:7]
    assert all(isinstance(error, AirsideError) and error.code is Code.INTERNAL for error in failed), failed
    assert all(isinstance(verdict, Admitted) for verdict in [*verdicts[:4], *verdicts[7:]])
    assert (await world.budget(backend.database))["reserved_calls"] == 8


async def test_a_cancelled_open_leaves_no_reservation(backend: Backend) -> None:
    for delay in (0, 1, 2, 5, 10, 20):
        opens = [asyncio.create_task(backend.journal.open(world.opening(model_call(f"{delay} {n}")))) for n in range(5)]
        for _ in range(delay):
            await asyncio.sleep(0)
        for task in opens:
            task.cancel()
        await asyncio.gather(*opens, return_exceptions=True)
    await world.done(backend.journal, model_call("last"), cost=PRICE, tokens=1)  # comes after what was taken back
    balance = await world.budget(backend.database)
    assert (balance["reserved_calls"], balance["spent_nanousd"]) == (0, PRICE)
    states = Counter(call["state"] for call in await world.fetch(backend.database, "calls"))
    assert states.keys() <= {"ok", "cancelled"}
    assert states["ok"] == 1


async def test_while_the_server_is_away_nothing_leaves_and_outcomes_are_kept(
    backend: Backend, postgres_server: ThrowawayPostgres
) -> None:
    backend.journal._writer._patience_s = 0.2  # type: ignore[attr-defined]
    call = await world.opened(backend.journal, model_call("in flight"))
    postgres_server.stop()
    try:
        with pytest.raises(AirsideError) as refused:
            await backend.journal.open(world.opening(model_call("next")))
        assert refused.value.code is Code.JOURNAL_UNAVAILABLE
        with pytest.raises(AirsideError) as unrecorded:
            await backend.journal.close(world.closing(call, cost=PRICE, tokens=1))
        assert unrecorded.value.code is Code.JOURNAL_UNAVAILABLE
    finally:
        postgres_server.start()
    await world.done(backend.journal, model_call("after"), cost=PRICE, tokens=1)
    rows = {row["call_id"]: row for row in await world.fetch(backend.database, "calls")}
    assert len(rows) == 2
    assert (rows[call.call_id]["state"], rows[call.call_id]["delivered"]) == ("ok", 0)
    claimed = await backend.journal.claim(world.who(), call.request_hash)  # the client's retry rejoins the late answer
    assert claimed is not None
    assert claimed.call_id == call.call_id


async def test_a_transition_waits_for_an_intent_or_the_intent_is_refused(backend: Backend, second: Backend) -> None:
    """The fence holds between processes: an attempt's intents are all there when its successor looks."""
    for attempt in range(1, 12):
        calls = [model_call(f"{attempt} {n}", identity=world.who(attempt=attempt)) for n in range(6)]
        opens = [asyncio.create_task(second.journal.open(world.opening(call))) for call in calls]
        await asyncio.sleep(0)
        successor = await world.next_attempt(backend.database, attempt=attempt + 1)
        seen = {row["call_id"] for row in await world.fetch(backend.database, "calls")}
        verdicts = await asyncio.gather(*opens)
        admitted = {
            call.call_id for call, verdict in zip(calls, verdicts, strict=True) if isinstance(verdict, Admitted)
        }
        assert admitted <= seen
        assert successor.attempt == attempt + 1


async def test_concurrent_claims_in_two_processes_get_different_occurrences(backend: Backend, second: Backend) -> None:
    for _ in range(10):
        await world.done(backend.journal, model_call("same"))
    again = await world.next_attempt(backend.database)
    journals = [backend.journal, second.journal] * 5
    claims = await asyncio.gather(*[journal.claim(again, world.digest("same")) for journal in journals])
    assert sorted(claim.occurrence for claim in claims if claim) == list(range(10))


async def test_a_transaction_whose_connection_is_cut_happens_once(backend: Backend, url: str) -> None:
    async def body(tx: Transaction) -> int:
        await tx.execute(world.SQL["add_tenant"], tenant_id="cut", time_zone="UTC")
        nonlocal tries
        tries += 1
        if tries == 1:
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                )
        return tries

    tries = 0
    assert await backend.database.transact(body) == 2
    assert len(await world.fetch(backend.database, "tenants")) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_whose_answer_was_lost_is_looked_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    bodies = 0

    async def body(tx: Transaction) -> None:
        nonlocal bodies
        bodies += 1
        await tx.execute(world.SQL["add_tenant"], tenant_id=f"from body {bodies}", time_zone="UTC")

    async def lose_the_first_answer(connection: Any, work: Any) -> Any:
        monkeypatch.setattr(database, "_write", write)
        begun: Any = {}

        async def work_and_look(tx: Transaction) -> None:
            begun.update(await tx.one(SQL["begun"]) or {})
            await work(tx)
            if not committed:
                raise ConnectionResetError

        with contextlib.suppress(ConnectionResetError):
            await write(connection, work_and_look)
        raise database._CommitUnknownError(begun["xid"], begun["server_started_us"], None)

    write = database._write
    monkeypatch.setattr(database, "_write", lose_the_first_answer)
    await backend.database.transact(body)
    expected = "from body 1" if committed else "from body 2"
    assert [row["tenant_id"] for row in await world.fetch(backend.database, "tenants")] == [expected]


async def test_an_orphan_that_is_sent_again_is_charged_in_full_first(backend: Backend, second: Backend) -> None:
    call = await world.opened(backend.journal, model_call("orphan", idempotent=True))
    again = msgspec.structs.replace(call, identity=await world.next_attempt(backend.database))
    verdict = await second.journal.open(world.opening(again, "gw-2"))
    assert isinstance(verdict, Admitted)
    balance = await world.budget(backend.database)
    assert (balance["spent_nanousd"], balance["reserved_nanousd"]) == (PRICE, PRICE)
    await second.journal.close(world.closing(again, state=CallState.OK, cost=PRICE, tokens=1))
    assert (await world.budget(backend.database))["spent_nanousd"] == 2 * PRICE


async def test_two_processes_that_make_the_same_row_both_succeed(backend: Backend, second: Backend) -> None:
    """What SQLite's one writer orders, Postgres must not turn into an error: look, and insert if there is none."""

    async def make(tx: Transaction) -> bool:
        known = {row["tenant_id"] for row in await tx.fetch(world.SQL["tenants"])}
        if "new" in known:
            return False
        await tx.execute(world.SQL["add_tenant"], tenant_id="new", time_zone="UTC")
        return True

    made = await asyncio.gather(*[each.database.transact(make) for each in [backend, second] * 4])
    assert sorted(made) == [False] * 7 + [True]
