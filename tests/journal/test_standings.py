"""What the SQLite writer remembers of attempts and calls is forgotten as soon as anyone else may have changed it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.call import CallState
from airside.core.errors import Code
from airside.core.ports import Admitted, Refused
from airside.journal.backend import Backend, connect
from tests.journal import world


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Backend, Backend]]:
    """Two processes' backends on one file; the first has one call of the running run behind it."""
    url = f"sqlite:///{tmp_path}/journal.db"
    one = await connect(url, settings=DatabaseSettings(), executor_id="gw-1")
    other = await connect(url, settings=DatabaseSettings(), executor_id="gw-2")
    await world.start_run(one.database)
    first = await world.opened(one.journal, world.call("first"))
    await one.journal.close(world.closing(first))
    yield one, other
    await one.close()
    await other.close()


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_remembered_attempt_is_fenced_once_a_newer_one_has_started(
    pair: tuple[Backend, Backend], elsewhere: bool
) -> None:
    one, other = pair
    assert isinstance(await one.journal.open(world.opening(world.call("second"))), Admitted)
    await world.next_attempt((other if elsewhere else one).database)
    refused = await one.journal.open(world.opening(world.call("third")))
    assert isinstance(refused, Refused)
    assert refused.code is Code.ATTEMPT_SUPERSEDED


async def test_a_call_that_another_process_has_closed_is_settled_once(pair: tuple[Backend, Backend]) -> None:
    one, other = pair
    before = (await world.budget(one.database))["spent_nanousd"]
    call = await world.opened(one.journal, world.call("slow"))
    await other.journal.close(world.closing(call, CallState.LOST, cost=3))
    await one.journal.close(world.closing(call, cost=5))
    found = await world.budget(one.database)
    assert (found["spent_nanousd"] - before, found["reserved_nanousd"]) == (3, 0)


async def test_a_call_is_closed_once_however_often_it_is_asked(pair: tuple[Backend, Backend]) -> None:
    one, _ = pair
    call = await world.opened(one.journal, world.call("again"))
    at_us = await one.journal.close(world.closing(call))
    assert await one.journal.close(world.closing(call)) == at_us
    assert (await world.budget(one.database))["reserved_nanousd"] == 0


async def test_equal_requests_and_equal_ids_are_told_apart_by_the_database(pair: tuple[Backend, Backend]) -> None:
    one, _ = pair
    occurrences = []
    for _ in range(3):
        admitted = await one.journal.open(world.opening(world.call("same")))
        assert isinstance(admitted, Admitted)
        occurrences.append(admitted.occurrence)
    assert occurrences == [0, 1, 2]
    done = await world.opened(one.journal, world.call("once"))
    await one.journal.close(world.closing(done))
    again = await one.journal.open(world.opening(done))
    assert isinstance(again, Refused)
    assert again.code is Code.CONFLICT
    assert (await world.budget(one.database))["reserved_calls"] == 3
