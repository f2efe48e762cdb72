"""Periods begin, limits change, dollars are added and carried over, while calls go on: never over, never lost."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.budget import Blocked, Exhausted, Limits
from airside.core.call import CallState
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd, usd
from airside.core.ports import Admitted
from airside.core.run import Identity
from airside.runs.allowances import Allowances
from airside.runs.budgets import Plan
from tests.journal import world
from tests.runs.house import TENANT, House, eventually, settings
from tests.runs.test_budgets import at

DOLLAR = usd("1")


class Wall:
    """A clock that the test sets; what it shows is now."""

    def __init__(self, text: str) -> None:
        self.us = at(text)
        self.s = 0.0

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        self.s += 1.0  # whatever is remembered for a moment is read again
        return self.s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def allowances(plane: House, wall: Wall, **tenant: Any) -> Allowances:
    chosen = settings("memory:", time_zone="America/New_York", budgets={"tenant": tenant})
    return Allowances(plane.backend.database, chosen, wall)


async def started(plane: House) -> Identity:
    """A run that executes, as its attempt is known."""
    going = asyncio.Event()

    async def agent(_: House, __: Any) -> bytes:
        await going.wait()
        return b"null"

    plane.agents["shop"] = agent
    run = await plane.submit()

    async def there() -> bool:
        return bool(plane.specs)

    await eventually(there, lambda: "the run does not start")
    assert run.state
    return await plane.identity(plane.specs[-1])


async def spend(plane: House, who: Identity, dollars: str, *, close: bool = True) -> Any:
    """Make a call that costs so much; return it, or what admission said."""
    need = world.Need(fixed_nanousd=usd(dollars))
    call = world.call(f"call {dollars}", identity=who, parts=(), need=need)
    verdict = await plane.backend.journal.open(world.opening(call, plane.backend.journal.executor_id))
    if not isinstance(verdict, Admitted):
        return verdict
    if close:
        await settle(plane, call, dollars)
    return call


async def settle(plane: House, call: Any, dollars: str) -> None:
    await plane.backend.journal.close(world.closing(call, CallState.OK, cost=usd(dollars), tokens=0))


async def balance(plane: House, node: str) -> dict[str, Any]:
    (row,) = await plane.sql("SELECT * FROM budgets WHERE node = :node", node=node)
    return row


async def test_a_call_is_charged_to_the_month_it_is_made_in_and_settled_where_it_was_reserved(plane: House) -> None:
    wall = Wall("2026-11-30T12:00:00")
    known = allowances(plane, wall, usd="1", period="month")
    who = replace(await started(plane), budget_path=("tenant:default",))
    november = await known.current(who)
    assert november.budget_path == ("tenant:default@2026-11",)
    under_way = await spend(plane, november, "0.9", close=False)
    assert isinstance(await spend(plane, november, "0.2"), Blocked)
    wall.us = at("2026-12-01T04:59:59")  # still November in New York
    assert (await known.current(november)).budget_path == november.budget_path
    wall.us = at("2026-12-01T05:00:00")
    december = await known.current(november)
    assert december.budget_path == ("tenant:default@2026-12",)
    await spend(plane, december, "0.7")
    await settle(plane, under_way, "0.4")
    assert (await balance(plane, "tenant:default@2026-11"))["spent_nanousd"] == usd("0.4")
    assert (await balance(plane, "tenant:default@2026-12"))["spent_nanousd"] == usd("0.7")
    for node in ("tenant:default@2026-11", "tenant:default@2026-12"):
        assert (await balance(plane, node))["reserved_nanousd"] == 0


async def test_what_is_left_moves_to_the_next_month_and_cannot_be_spent_in_both(plane: House) -> None:
    wall = Wall("2026-11-10T12:00:00")
    known = allowances(plane, wall, usd="1", period="month", carry_over=True)
    who = replace(await started(plane), budget_path=("tenant:default",))
    november = await known.current(who)
    await spend(plane, november, "0.3")
    under_way = await spend(plane, november, "0.2", close=False)
    wall.us = at("2026-12-02T00:00:00")
    december = await known.current(november)
    assert (await balance(plane, "tenant:default@2026-12"))["limit_nanousd"] == usd("1.5")
    assert (await balance(plane, "tenant:default@2026-11"))["limit_nanousd"] == usd("0.5")
    assert isinstance(await spend(plane, november, "0.01"), Blocked), "only what is reserved is left there"
    assert not isinstance(await spend(plane, december, "1.5"), Exhausted)
    await settle(plane, under_way, "0")
    assert await known.reconcile(TENANT) == 0, "what was carried over is part of the limit"
    wall.us = at("2027-01-02T00:00:00")
    await known.current(december)
    assert (await balance(plane, "tenant:default@2027-01"))["limit_nanousd"] == usd("1")


async def test_carrying_over_is_done_once_by_however_many(plane: House) -> None:
    wall = Wall("2026-11-10T12:00:00")
    several = [allowances(plane, wall, usd="1", period="month", carry_over=True) for _ in range(6)]
    who = replace(await started(plane), budget_path=("tenant:default",))
    await several[0].current(who)
    wall.us = at("2026-12-02T00:00:00")
    await asyncio.gather(*[known.current(who) for known in several])
    assert (await balance(plane, "tenant:default@2026-12"))["limit_nanousd"] == usd("2")
    assert (await balance(plane, "tenant:default@2026-11"))["limit_nanousd"] == 0


async def test_credit_reaches_the_next_call_and_is_journaled_once_per_key(plane: House) -> None:
    funding, who = plane.services.funding, await started(plane)
    await funding.set_limits(TENANT, "tenant", Plan(Limits(usd("0.1"))), "key_1")
    await spend(plane, who, "0.1")
    assert isinstance(await spend(plane, who, "0.01"), Exhausted)
    given = await asyncio.gather(
        *[funding.credit(TENANT, TENANT, usd("0.05"), "key_1", note="more", key="k") for _ in range(5)]
    )
    assert len({credit.credit_id for credit in given}) == 1
    with pytest.raises(AirsideError) as other:
        await funding.credit(TENANT, TENANT, usd("0.06"), "key_1", key="k")
    assert other.value.code is Code.IDEMPOTENCY_CONFLICT
    assert not isinstance(await spend(plane, who, "0.05"), Exhausted)
    assert isinstance(await spend(plane, who, "0.01"), Exhausted)
    entries = await plane.sql("SELECT type FROM entries WHERE type LIKE 'budget.%' ORDER BY entry_id")
    assert [row["type"] for row in entries] == ["budget.limited", "budget.credited"]
    shown, _ = await funding.credits(TENANT, "tenant")
    assert [(credit.node, credit.nanousd, credit.note) for credit in shown] == [("tenant:default", usd("0.05"), "more")]


async def test_top_ups_race_calls_and_no_dollar_is_lost_or_spent_twice(plane: House) -> None:
    funding, who = plane.services.funding, await started(plane)
    await funding.set_limits(TENANT, "tenant", Plan(Limits(NanoUsd(0))), "key_1")
    spent = 0

    async def caller(n: int) -> None:
        nonlocal spent
        for again in range(10):
            need = world.Need(fixed_nanousd=usd("0.001"))
            call = world.call(f"{n}/{again}", identity=who, parts=(), need=need)
            opening = world.opening(call, plane.backend.journal.executor_id)
            if isinstance(await plane.backend.journal.open(opening), Admitted):
                await settle(plane, call, "0.001")
                spent += 1

    tops = [funding.credit(TENANT, "tenant", usd("0.001"), "k") for _ in range(12)]
    limits = [funding.set_limits(TENANT, "tenant", Plan(Limits(NanoUsd(0))), "k") for _ in range(4)]
    await asyncio.gather(*[caller(n) for n in range(6)], *tops, *limits)
    row = await balance(plane, "tenant:default")
    assert row["limit_nanousd"] == usd("0.012")
    assert row["spent_nanousd"] == spent * usd("0.001") <= row["limit_nanousd"]
    assert row["reserved_nanousd"] == 0


async def test_a_limit_may_be_set_below_what_is_spent_and_taken_back(plane: House) -> None:
    funding, who = plane.services.funding, await started(plane)
    under_way = await spend(plane, who, "0.1", close=False)
    await spend(plane, who, "0.2")
    answer = await funding.set_limits(TENANT, "tenant", Plan(Limits(usd("0.05"), 0, 0)), "key_1")
    assert answer["usd"] == "0.050000000"
    refused = await spend(plane, who, "0.001")
    assert isinstance(refused, Exhausted)
    assert refused.limit < 1 or refused.spent > refused.limit
    await settle(plane, under_way, "0.1")
    row = await balance(plane, "tenant:default")
    assert (row["spent_nanousd"], row["reserved_nanousd"]) == (usd("0.3"), 0)
    await funding.clear_limits(TENANT, "tenant", "key_1")
    assert not isinstance(await spend(plane, who, "0.001"), Exhausted)
    with pytest.raises(AirsideError) as gone:
        await funding.clear_limits(TENANT, "tenant", "key_1")
    assert gone.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    "name", ["", "tenant:b", "run:run_1", "customer:", "customer:\x00", "b:x", "unit:" + "x" * 300]
)
async def test_what_is_no_budget_is_refused(plane: House, name: str) -> None:
    with pytest.raises(AirsideError) as refused:
        await plane.services.funding.set_limits(TENANT, name, Plan(Limits()), "key_1")
    assert refused.value.code is Code.INVALID_REQUEST


async def test_credit_needs_a_limit_and_is_positive(plane: House) -> None:
    for name, amount, code in (
        ("customer:new", DOLLAR, Code.CONFLICT),
        ("tenant", NanoUsd(0), Code.INVALID_REQUEST),
        ("tenant", NanoUsd(-5), Code.INVALID_REQUEST),
    ):
        with pytest.raises(AirsideError) as refused:
            await plane.services.funding.credit(TENANT, name, amount, "key_1")
        assert refused.value.code is code
    assert await plane.sql("SELECT * FROM budget_credits") == []


async def test_each_customer_has_the_limit_of_customers_or_its_own(plane: House) -> None:
    await plane.services.funding.set_limits(TENANT, "customer:a@b", Plan(Limits(calls=3)), "key_1")
    plane.agents["shop"] = lambda *_: asyncio.sleep(0, b"null")
    await plane.submit(labels={"customer": "a@b"})
    row = await balance(plane, "customer:a%40b")
    assert row["limit_calls"] == 3
    listed = await plane.services.funding.limits(TENANT)
    assert [(plan["scope"], plan["calls"], plan["usd"]) for plan in listed] == [("customer:a%40b", 3, None)]
