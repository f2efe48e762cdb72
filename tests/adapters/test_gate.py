"""What all adapters do alike: functions as entries, and errors that come back from the journal as they were."""

import asyncio
import threading
from typing import Any

import pytest

from airside.adapters.clients import Gateways, ToolRefused
from airside.adapters.entries import called
from airside.adapters.gate import Gate, Permit, ToolRaised, again, in_order, rebuilt, told_of
from airside.adapters.http_hooks import actor_headers
from airside.core.errors import Code

from .conftest import House


class TwoArguments(Exception):
    """Wants more than a message."""

    def __init__(self, what: str, how_often: int) -> None:
        super().__init__(f"{what} {how_often} times")


class Peculiar(Exception):
    """Says always the same."""

    def __str__(self) -> str:
        return "peculiar"


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), RuntimeError(), OSError("gone"), TwoArguments("a", 1)]
)
def test_errors_come_back_with_their_class_and_words(error: Exception) -> None:
    back = rebuilt(type(error).__name__, str(error))
    assert (type(back), str(back)) == (type(error), str(error))
    assert repr(rebuilt(type(back).__name__, str(back))) == repr(back)


def test_what_cannot_be_made_again_keeps_its_words() -> None:
    for kind, words in (("NeverHeardOf", "x"), (Peculiar.__name__, "not what it says")):
        back = rebuilt(kind, words)
        assert isinstance(back, ToolRaised)
        assert (back.kind, str(back)) == (kind, words)


async def test_an_error_is_told_the_same_live_and_from_the_journal(house: House) -> None:
    who = await house.begin()

    async def fails(_: Any) -> None:
        raise TwoArguments("no paper", 7)

    told = []
    for again_ in (False, True):
        attempt = await house.again(who) if again_ else who
        async with Gateways(house.context(attempt)) as gateways:
            with pytest.raises(TwoArguments) as caught:
                await Gate(gateways).run("note", {"text": "x"}, None, fails)
            told.append(repr(caught.value))
    assert len(await house.plane.calls(who)) == 1
    assert told[0] == told[1]


async def test_a_result_that_cannot_be_kept_is_an_error_that_the_agent_hears_of(house: House) -> None:
    who = await house.begin()

    async def shouts(_: Any) -> str:
        return "\ud800"

    async with Gateways(house.context(who)) as gateways:
        with pytest.raises(ToolRaised, match="cannot be kept"):
            await Gate(gateways).run("note", {"text": "x"}, None, shouts)
    assert [row["state"] for row in await house.plane.calls(who)] == ["error"]


async def test_what_guards_keep_is_what_the_agent_is_told_live_and_again(house: House) -> None:
    who = await house.begin()

    async def answers(_: Any) -> Any:
        return {"key": "sk-planted-4711"}

    async def fails(_: Any) -> None:
        raise ValueError("no sk-planted-4711")

    for again_ in (False, True):
        attempt = await house.again(who) if again_ else who
        async with Gateways(house.context(attempt)) as gateways:
            gate = Gate(gateways)
            assert await gate.run("note", {"text": "1"}, None, answers) == {"key": "[SECRET]"}
            with pytest.raises(ValueError, match=r"^no \[SECRET\]$"):
                await gate.run("note", {"text": "2"}, None, fails)
    assert len(await house.plane.calls(who)) == 2


async def test_gateways_may_be_used_from_other_loops(house: House) -> None:
    who = await house.begin()
    async with Gateways(house.context(who)) as gateways:

        def elsewhere() -> Any:
            return asyncio.run(Gate(gateways).authorize("note", {"text": "x"}))

        permit = await asyncio.to_thread(elsewhere)
    assert permit.arguments == {"text": "x"}


def test_recorded_answers() -> None:
    assert again(Permit("recorded", "c", result={"b": 1, "a": 2})) == {"a": 2, "b": 1}
    edited = again(Permit("recorded", "c", {"x": 1}, edited=True, result=3))
    assert (edited["result"], edited["edited_arguments"]) == (3, {"x": 1})
    with pytest.raises(ToolRefused, match="too much"):
        again(Permit("recorded", "c", error={"code": Code.LIMIT_EXCEEDED, "message": "too much"}))
    assert list(in_order({"b": {"d": 1, "c": 2}, "a": 1})) == ["a", "b"]


def test_only_refusals_of_one_call_are_for_the_model() -> None:
    assert "not this" in told_of(ToolRefused(Code.POLICY_DENIED, "not this"))
    for code in (Code.KILLED, Code.BUDGET_EXHAUSTED, Code.APPROVAL_REQUIRED, Code.ATTEMPT_SUPERSEDED):
        with pytest.raises(ToolRefused):
            told_of(ToolRefused(code, "no"))


def test_names_of_agents_that_are_no_header_are_left_out() -> None:
    assert actor_headers("") == actor_headers("two\r\nlines") == {}
    assert actor_headers("Zoë") == {"x-airside-actor": "Zo?"}


async def test_functions_get_what_they_ask_for_by_name() -> None:
    offers = {"tools": [1], "model": "m"}

    def blocking(task: Any, tools: Any) -> Any:
        return task, tools, threading.current_thread() is threading.main_thread()

    async def keywords(*, model: str, task: Any) -> Any:
        return model, task

    class Callable:
        async def __call__(self, task: Any) -> Any:
            return task

    assert await called(blocking, "t", offers) == ("t", [1], False)
    assert await called(keywords, "t", offers) == ("m", "t")
    assert await called(Callable(), "t", offers) == "t"
    assert await called(lambda: 5, "t", offers) == 5
    assert await called(lambda *more, **named: (more, named), "t", offers) == ((), {})
