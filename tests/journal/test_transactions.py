"""The transaction seam: all or nothing, alone, in order; reads on a snapshot. The same on every backend."""

import asyncio

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.ports import Admitted, Entry, Query, Transaction
from airside.journal import events
from airside.journal.backend import Backend
from tests.journal import world

BROKEN = Query("test:broken", "SELECT nothing FROM nowhere")


def _entry(number: int) -> Entry:
    return events.entry(events.KEY_CREATED, {"number": number}, tenant_id=world.TENANT)


async def _add(tx: Transaction, tenant_id: str) -> int:
    return await tx.execute(world.SQL["add_tenant"], tenant_id=tenant_id, time_zone="UTC")


async def _tenants(backend: Backend) -> list[str]:
    return [row["tenant_id"] for row in await world.fetch(backend.database, "tenants")]


async def test_a_value_comes_back_after_the_commit(backend: Backend) -> None:
    async def body(tx: Transaction) -> str:
        assert await _add(tx, "t1") == 1
        row = await tx.one(world.SQL["tenants"])
        assert row is not None
        await tx.append(_entry(1), _entry(2))
        await tx.store(world.sealed("x"), world.sealed("x"))
        assert await tx.one(world.SQL["budget"], tenant_id="none", node="none") is None
        return str(row["tenant_id"])

    assert await backend.database.transact(body) == "t1"
    assert await _tenants(backend) == ["t1"]
    assert len(await world.fetch(backend.database, "entries")) == 2
    assert len(await world.fetch(backend.database, "contents")) == 1


async def test_text_of_foreign_origin_is_always_storable(backend: Backend) -> None:
    assert await backend.database.transact(lambda tx: _add(tx, "a\x00b\udcffc")) == 1
    assert await _tenants(backend) == ["a\ufffdb?c"]
    assert await backend.database.read(lambda tx: tx.one(world.SQL["budget"], tenant_id="\x00", node="\x00")) is None


@pytest.mark.parametrize("failure", [ValueError("mine"), AirsideError(Code.CONFLICT), asyncio.CancelledError()])
async def test_raising_rolls_back_everything(backend: Backend, failure: BaseException) -> None:
    async def body(tx: Transaction) -> None:
        await _add(tx, "t1")
        await tx.append(_entry(1))
        await tx.store(world.sealed("x"))
        raise failure

    with pytest.raises(type(failure)):
        await backend.database.transact(body)
    assert await _tenants(backend) == []
    assert await world.fetch(backend.database, "entries") == []
    assert await world.fetch(backend.database, "contents") == []


async def test_one_failing_body_does_not_touch_its_neighbours(backend: Backend) -> None:
    async def body(tx: Transaction, number: int) -> None:
        await _add(tx, f"t{number}")
        if number % 3 == 1:
            raise ValueError("mine")
        if number % 3 == 2:
            await _add(tx, f"t{number}")

    calls = [world.call(f"c{number}") for number in range(9)]
    results = await asyncio.gather(
        *[backend.database.transact(lambda tx, n=number: body(tx, n)) for number in range(9)],
        *[backend.journal.open(world.opening(call)) for call in calls],
        return_exceptions=True,
    )
    assert [type(result) for result in results[:9]] == [type(None), ValueError, AirsideError] * 3
    assert all(isinstance(result, Admitted) for result in results[9:])
    assert await _tenants(backend) == ["t0", "t3", "t6"]
    assert (await world.budget(backend.database))["reserved_calls"] == 9


async def test_no_drivers_error_passes(backend: Backend) -> None:
    with pytest.raises(AirsideError) as refused:
        await backend.database.transact(lambda tx: tx.fetch(BROKEN))
    assert refused.value.code is Code.INTERNAL
    with pytest.raises(AirsideError):
        await backend.database.read(lambda tx: tx.fetch(BROKEN))
    await backend.database.transact(lambda tx: _add(tx, "t1"))
    with pytest.raises(AirsideError) as refused:
        await backend.database.transact(lambda tx: _add(tx, "t1"))
    assert refused.value.code is Code.CONFLICT


async def test_an_entry_once_written_stays(backend: Backend) -> None:
    await backend.database.transact(lambda tx: tx.append(_entry(1)))
    for sql in ("UPDATE entries SET body = body", "DELETE FROM entries"):
        with pytest.raises(AirsideError):
            await backend.database.transact(lambda tx, sql=sql: tx.execute(Query("test:tamper", sql)))
    assert len(await world.fetch(backend.database, "entries")) == 1


async def test_a_changed_limit_is_seen_by_the_next_admission(backend: Backend) -> None:
    await world.opened(backend.journal, world.call("a"))
    await world.execute(
        backend.database, "set_limit", tenant_id=world.TENANT, node=f"run:{world.RUN}", nanousd=10_000_000
    )
    assert not isinstance(await backend.journal.open(world.opening(world.call("b"))), Admitted)
    balance = await world.budget(backend.database)
    assert (balance["limit_nanousd"], balance["reserved_nanousd"]) == (10_000_000, 10_000_000)


async def test_a_rolled_back_limit_is_not_seen(backend: Backend) -> None:
    await world.opened(backend.journal, world.call("a"))

    async def body(tx: Transaction) -> None:
        await tx.execute(world.SQL["set_limit"], tenant_id=world.TENANT, node=f"run:{world.RUN}", nanousd=0)
        raise ValueError("mine")

    results = await asyncio.gather(
        backend.database.transact(body),
        backend.journal.open(world.opening(world.call("b"))),
        return_exceptions=True,
    )
    assert isinstance(results[1], Admitted)
    assert (await world.budget(backend.database))["reserved_calls"] == 2


async def test_counters_are_exact_under_concurrency(backend: Backend) -> None:
    async def body(tx: Transaction) -> int:
        rows = await tx.fetch(world.SQL["tenants"])
        await tx.append(_entry(len(rows)))
        return len(rows)

    await asyncio.gather(*[backend.database.transact(lambda tx, n=n: _add(tx, f"t{n:02}")) for n in range(20)])
    assert await asyncio.gather(*[backend.database.transact(body) for _ in range(20)]) == [20] * 20
    numbers = [row["entry_id"] for row in await world.fetch(backend.database, "entries")]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 20


async def test_a_closed_backend_says_so(backend: Backend) -> None:
    await backend.close()
    for attempt in (
        backend.database.transact(lambda tx: _add(tx, "t1")),
        backend.database.read(lambda tx: tx.fetch(world.SQL["tenants"])),
        backend.journal.open(world.opening(world.call())),
        backend.journal.claim(world.who(), b"x"),
    ):
        with pytest.raises(AirsideError) as refused:
            await attempt
        assert refused.value.code is Code.JOURNAL_UNAVAILABLE


async def test_closing_finishes_what_is_under_way(backend: Backend) -> None:
    tasks = [asyncio.create_task(backend.journal.open(world.opening(world.call(f"c{n}")))) for n in range(8)]
    await asyncio.sleep(0)
    await backend.close()
    results = await asyncio.gather(*tasks)
    assert all(isinstance(result, Admitted) for result in results)
