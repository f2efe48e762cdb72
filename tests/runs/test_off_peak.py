"""Work that can wait begins when its window opens, also on days on which clocks change, and not before its instant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.run import RunState
from airside.runs.off_peak import MINUTE_US, is_off_peak, opening_us
from airside.runs.store import DELAY_US_MAX
from tests.runs.house import House, answer, house, settings
from tests.runs.test_budgets import at


def hours(start: str, end: str, *, weekends: bool = True, zone: str = "Europe/Berlin") -> Any:
    window = {"start": start, "end": end, "weekends": weekends}
    return settings("memory:", time_zone=zone, runs={"off_peak": window})


@pytest.mark.parametrize(
    ("chosen", "now", "opens"),
    [
        (hours("20:00", "06:00"), "2026-11-18T12:00:30", "2026-11-18T19:00:00"),
        (hours("20:00", "06:00"), "2026-11-18T23:10:05", "2026-11-18T23:10:05"),
        (hours("20:00", "06:00"), "2026-11-20T22:59:59", "2026-11-20T22:59:59"),
        (hours("20:00", "21:00"), "2026-11-21T09:00:00", "2026-11-21T09:00:00"),
        (hours("20:00", "21:00", weekends=False), "2026-11-21T09:00:00", "2026-11-21T19:00:00"),
        (hours("09:00", "17:00", weekends=False), "2026-11-18T17:00:00", "2026-11-19T08:00:00"),
        (hours("02:30", "02:45", weekends=False), "2026-03-28T20:00:00", "2026-03-30T00:30:00"),
        (hours("12:00", "12:00", weekends=False), "2026-11-18T03:00:00", "2026-11-18T03:00:00"),
    ],
)
def test_the_window_opens_at_its_hour(chosen: Any, now: str, opens: str) -> None:
    assert opening_us(chosen, at(now)) == at(opens)


NIGHT = hours("22:15", "05:45", zone="Australia/Lord_Howe")


@given(st.integers(0, 400 * 86_400))
def test_an_opening_is_the_first_off_peak_minute(second: int) -> None:
    now_us = at("2026-01-01T00:00:00") + second * SECOND_US
    opens = opening_us(NIGHT, now_us)
    assert opens >= now_us
    assert is_off_peak(NIGHT, opens)
    if opens > now_us:
        assert not is_off_peak(NIGHT, now_us)
        assert not is_off_peak(NIGHT, opens - MINUTE_US)


async def test_a_run_waits_for_its_instant(plane: House) -> None:
    plane.agents["shop"] = answer
    now_us = (await plane.sql("SELECT created_us FROM tenants"))[0]["created_us"]
    soon = await plane.submit(not_before_us=now_us + 2 * SECOND_US)
    at_once = await plane.submit(task=b'"now"')
    await plane.until(at_once, RunState.SUCCEEDED)
    ended = await plane.until(soon, RunState.SUCCEEDED)
    assert ended.started_us is not None
    assert ended.started_us >= now_us + 2 * SECOND_US
    late = now_us + 2 * DELAY_US_MAX
    with pytest.raises(AirsideError) as refused:
        await plane.submit(not_before_us=late)
    assert refused.value.code is Code.INVALID_REQUEST


async def test_a_run_waits_for_off_peak_hours_and_the_same_key_is_the_same_run() -> None:
    async with house("memory:", works=False) as plane:
        first = await plane.submit(window="off_peak", idempotency_key="k")
        assert first.ready_us == opening_us(plane.settings, first.created_us)
        assert (await plane.submit(window="off_peak", idempotency_key="k")).run_id == first.run_id
        with pytest.raises(AirsideError):
            await plane.submit(window="at night")
