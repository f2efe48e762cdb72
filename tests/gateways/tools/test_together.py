"""Calls of a reading tool that are made together: in one request, by tenant, each with its own result or error."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import airside
from airside.gateways.tools.gathering import Gathering
from airside.gateways.tools.together import Together, declared_together


async def run(function: Callable[[list[dict[str, Any]]], Any], calls: list[dict[str, Any]]) -> Any:
    """Call a function as the host does."""
    return function(calls)


class Api:
    """An outside API that takes many ids at once, and remembers what it was asked."""

    def __init__(self, *, calls_max: int = 10, wait_s: float = 0.05) -> None:
        self.asked: list[list[int]] = []
        self.gathering = Gathering({"find": Together(self.find, calls_max, wait_s)}, run)

    def find(self, calls: list[dict[str, Any]]) -> list[Any]:
        self.asked.append([call["id"] for call in calls])
        return [LookupError("no such id") if call["id"] < 0 else call["id"] * 10 for call in calls]

    async def one(self, number: int, tenant: str = "t") -> Any:
        return await asyncio.wait_for(self.gathering.result("find", tenant, {"id": number}), 10)


async def test_calls_at_once_are_one_request_and_each_has_its_own_result() -> None:
    api = Api()
    assert await asyncio.gather(*(api.one(number) for number in range(5))) == [0, 10, 20, 30, 40]
    assert api.asked == [[0, 1, 2, 3, 4]]


async def test_one_that_fails_does_not_fail_the_others() -> None:
    api = Api()
    found = await asyncio.gather(api.one(1), api.one(-1), api.one(2), return_exceptions=True)
    assert found[0] == 10
    assert isinstance(found[1], LookupError)
    assert found[2] == 20


async def test_no_more_than_allowed_are_asked_together_and_a_full_group_does_not_wait() -> None:
    api = Api(calls_max=2, wait_s=1.0)
    async with asyncio.timeout(0.9):
        await asyncio.gather(*(api.one(number) for number in range(4)))
    assert api.asked == [[0, 1], [2, 3]]


async def test_tenants_are_never_asked_for_together() -> None:
    api = Api()
    await asyncio.gather(api.one(1, "a"), api.one(2, "b"), api.one(3, "a"))
    assert sorted(api.asked) == [[1, 3], [2]]


async def test_who_left_is_left_out() -> None:
    api = Api()
    leaving = asyncio.create_task(api.one(1))
    staying = asyncio.create_task(api.one(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 20
    assert api.asked == [[2]]


@pytest.mark.parametrize("answer", [[1], {"id": 1}, None, [1, 2, 3]])
async def test_an_answer_of_the_wrong_length_fails_all(answer: Any) -> None:
    gathering = Gathering({"find": Together(lambda calls: answer, 10, 0.01)}, run)
    found = await asyncio.gather(
        gathering.result("find", "t", {"id": 1}), gathering.result("find", "t", {"id": 2}), return_exceptions=True
    )
    assert all(isinstance(each, ValueError) for each in found)


def test_only_reading_tools_can_be_asked_together() -> None:
    @airside.tool(name="together_pay", effect="write")
    def pay(to: str) -> None: ...

    with pytest.raises(ValueError, match="effect='read'"):
        airside.together(pay)
    with pytest.raises(ValueError, match="effect='read'"):
        airside.together(len)

    @airside.tool(name="together_find", effect="read")
    def find(number: int) -> int:
        return number

    with pytest.raises(ValueError, match="calls_max"):
        airside.together(find, calls_max=0)

    @airside.together(find)
    def find_many(calls: list[dict[str, Any]]) -> list[int]:
        return [call["number"] for call in calls]

    assert declared_together()["together_find"].function is find_many
