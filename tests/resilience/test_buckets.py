"""The arithmetic of token buckets: nothing is made from nothing, and nothing is lost to rounding."""

from hypothesis import given
from hypothesis import strategies as st

from airside.resilience.buckets import MINUTE_US, UNIT, Level, exchanged, full, refilled, wait_s

SIZES = st.integers(0, 1_000_000)


@given(SIZES, st.lists(st.integers(0, 5_000_000), max_size=50))
def test_many_small_steps_refill_as_much_as_one_big_one(per_minute: int, steps_us: list[int]) -> None:
    level = Level(0, 0)
    now_us = 0
    for step_us in steps_us:
        now_us += step_us
        level = refilled(level, per_minute, now_us)
        assert level.updated_us <= now_us
    at_once = refilled(Level(0, 0), per_minute, now_us).units
    lost_at_most = len(steps_us) * (1 + per_minute * UNIT // MINUTE_US) + 1  # a microsecond's worth in each step
    assert at_once - lost_at_most <= level.units <= at_once


@given(SIZES, st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_what_is_taken_was_there(per_minute: int, units: int, back: int, least: int, more: int) -> None:
    level, taken = exchanged(Level(units, 0), per_minute, back, least, least + more)
    assert taken == 0 or least <= taken <= least + more
    assert taken + level.units <= max(units + back, taken + level.units if not taken else units + back)
    assert level.units + taken <= per_minute * UNIT


def test_a_bucket_holds_a_minutes_worth_and_no_more() -> None:
    assert refilled(full(60, 0), 60, 10**12).units == 60 * UNIT
    assert refilled(Level(0, 0), 60, MINUTE_US // 2).units == 30 * UNIT


def test_a_clock_that_goes_back_gains_nothing_and_blocks_nobody() -> None:
    back = refilled(Level(10 * UNIT, 10**12), 60, 0)
    assert back == Level(10 * UNIT, 0)
    assert refilled(back, 60, MINUTE_US // 60).units == 11 * UNIT


def test_a_transaction_that_waited_for_the_row_gains_nothing_twice() -> None:
    late = refilled(Level(0, 2_000_000), 60, 1_000_000)
    assert late == Level(0, 2_000_000)
    assert refilled(late, 60, 3_000_000).units == UNIT


def test_how_long_to_wait() -> None:
    assert wait_s(Level(0, 0), 60, UNIT) == 1.0
    assert wait_s(Level(-60 * UNIT, 0), 60, UNIT) == 61.0
    assert wait_s(Level(0, 0), 0, UNIT) == 60.0
