"""Rate limits that processes share: never more than the bucket gave, whatever becomes of a process."""

import asyncio
import timeit
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from airside.config.resilience import Frequency, Rate, Rates, SubmissionRates
from airside.core.clock import SystemClock
from airside.core.dependencies import Asker
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database
from airside.resilience.rates import LeasedRates, network_of
from tests.resilience.conftest import sql

WHO = Asker("default", "customer:7", "key", "203.0.113.9")
Make = Callable[..., Any]


@pytest.fixture
async def make(databases: tuple[Database, Database]) -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        async def made(which: int = 0, **limits: Rate) -> LeasedRates:
            rates = LeasedRates(databases[which], SystemClock(), Rates(**limits), "calls")
            await rates.start()
            stack.push_async_callback(rates.close)
            return rates

        yield made


async def passed(rates: LeasedRates, times: int, asker: Asker = WHO, tokens: int = 0) -> int:
    """How many of so many calls at once are let through."""
    ends = await asyncio.gather(*[rates.take(asker, tokens) for _ in range(times)], return_exceptions=True)
    for end in ends:
        assert not isinstance(end, BaseException) or (isinstance(end, AirsideError) and end.code is Code.RATE_LIMITED)
    return sum(not isinstance(end, BaseException) for end in ends)


@pytest.mark.parametrize("whose", ["tenant", "user", "key", "address"])
async def test_processes_share_one_limit(make: Make, whose: str) -> None:
    limit = Rate(requests_per_minute=50)
    one, two = await make(0, **{whose: limit}), await make(1, **{whose: limit})
    began = asyncio.get_running_loop().time()
    counts = await asyncio.gather(*[passed(each, 60) for each in (one, two)])
    most = 50 + (asyncio.get_running_loop().time() - began) * 50 / 60
    assert 45 <= sum(counts) <= most + 1


async def test_who_is_told_apart_has_a_limit_of_their_own(make: Make) -> None:
    rates = await make(user=Rate(requests_per_minute=3))
    assert await passed(rates, 10) == 3
    assert await passed(rates, 10, WHO._replace(user="customer:8")) == 3
    assert await passed(rates, 10, WHO._replace(tenant_id="other")) == 3
    assert await passed(rates, 10, WHO._replace(user="")) == 10, "a run that stands for itself is no user"


async def test_a_limit_of_zero_lets_nothing_pass_and_none_is_no_limit(make: Make) -> None:
    assert await passed(await make(tenant=Rate(requests_per_minute=0)), 5) == 0
    rates = await make()
    assert not rates.limited
    assert await passed(rates, 5) == 5


async def test_a_refusal_says_when_to_ask_again(make: Make) -> None:
    rates = await make(tenant=Rate(requests_per_minute=6))
    assert await passed(rates, 6) == 6
    with pytest.raises(AirsideError) as caught:
        await rates.take(WHO)
    assert 5 < (caught.value.retry_after_s or 0) <= 10
    assert caught.value.details == {"limit": "rates.calls.tenant.requests_per_minute"}


async def test_a_call_that_one_limit_refuses_takes_nothing_of_the_others(make: Make, database: Database) -> None:
    rates = await make(tenant=Rate(requests_per_minute=100), user=Rate(requests_per_minute=0))
    assert await passed(rates, 20) == 0
    await rates.give_back(everything=True)
    (row,) = await sql(database, "SELECT level FROM rates WHERE name = 'calls:tenant:default:requests'")
    assert row["level"] == 100_000


async def test_what_is_not_used_is_given_back(make: Make) -> None:
    limit = Rate(requests_per_minute=1_200)
    one, two = await make(0, tenant=limit), await make(1, tenant=limit)
    assert await passed(one, 1) == 1  # leases ten
    await one.give_back(everything=True)
    assert await passed(two, 1_300) >= 1_199


async def test_tokens_that_were_not_needed_are_given_back(make: Make) -> None:
    rates = await make(tenant=Rate(tokens_per_minute=1_000))
    taken = await rates.take(WHO, 900)
    assert await passed(rates, 1, tokens=200) == 0
    taken.settle(100)
    assert await passed(rates, 1, tokens=800) == 1


async def test_tokens_beyond_what_was_taken_are_owed(make: Make) -> None:
    rates = await make(tenant=Rate(tokens_per_minute=1_000))
    (await rates.take(WHO, 100)).settle(2_000)
    with pytest.raises(AirsideError) as caught:
        await rates.take(WHO, 100)
    assert (caught.value.retry_after_s or 0) > 55


async def test_a_call_larger_than_the_limit_takes_all_of_it(make: Make) -> None:
    rates = await make(tenant=Rate(tokens_per_minute=1_000))
    (await rates.take(WHO, 50_000)).settle(400)
    assert await passed(rates, 1, tokens=500) == 1


async def test_a_thousand_at_once_are_served_by_few_transactions(make: Make, databases: Any) -> None:
    rates = await make(tenant=Rate(requests_per_minute=600_000))
    transactions = 0
    transact = databases[0].transact

    async def counted(body: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return await transact(body)

    rates._database = type("Counted", (), {"transact": staticmethod(counted)})()
    assert await passed(rates, 1_000) == 1_000
    assert transactions <= 5
    rates._database = databases[0]


async def test_whoever_leaves_while_waiting_harms_nobody(make: Make) -> None:
    rates = await make(tenant=Rate(requests_per_minute=100))
    waiting = [asyncio.create_task(rates.take(WHO)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(not isinstance(end, BaseException) for end in ends) == 10
    await rates.give_back(everything=True)
    assert await passed(rates, 100) >= 90


async def test_submissions_have_limits_of_their_own(databases: tuple[Database, Database]) -> None:
    settings = SubmissionRates(key=Frequency(requests_per_minute=2))
    rates = LeasedRates(databases[0], SystemClock(), settings, "submissions")
    assert await passed(rates, 5) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_one_site_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_the_fast_path_takes_little_time(make: Make) -> None:
    rates = await make(tenant=Rate(requests_per_minute=1_000_000_000))
    await rates.take(WHO)

    def call() -> None:
        step = rates.take(WHO).__await__()
        with pytest.raises(StopIteration):
            next(step)

    assert min(timeit.repeat(call, number=2_000, repeat=3)) / 2_000 < 100e-6
