"""What one process sees of a dependency, and what is reason enough."""

import pytest

from airside.config.resilience import BreakerSettings
from airside.core.dependencies import Sign
from airside.resilience.window import Window


def window(**changes: object) -> Window:
    return Window(BreakerSettings(**changes))


def test_failures_in_a_row_are_enough_and_one_good_answer_breaks_the_row() -> None:
    seen = window(consecutive_failures=3)
    assert not seen.note(0, Sign.FAILED, 0)
    assert not seen.note(0, Sign.FAILED, 0)
    assert not seen.note(0, Sign.GOOD, 0)
    assert [bool(seen.note(0, Sign.FAILED, 0)) for _ in range(3)] == [False, False, True]


def test_a_share_says_nothing_before_there_are_enough_calls() -> None:
    seen = window(calls_min=10, failure_share=0.5, consecutive_failures=100)
    signs = [Sign.GOOD, Sign.FAILED] * 6
    said = [seen.note(number / 10, sign, 0) for number, sign in enumerate(signs)]
    assert [bool(text) for text in said] == [False] * 9 + [True, False, True]
    assert said[9] == "5 of 10 calls within 30 s failed"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    seen = window(calls_min=4, consecutive_failures=100, window_s=10)
    for _ in range(3):
        assert not seen.note(0.5, Sign.FAILED, 0)
    assert not seen.note(10.5, Sign.FAILED, 0)
    assert not seen.note(10.6, Sign.FAILED, 0)
    assert not seen.note(10.7, Sign.FAILED, 0)
    assert seen.note(10.8, Sign.FAILED, 0)


def test_a_long_silence_leaves_no_ghosts_in_the_ring() -> None:
    seen = window(calls_min=2, consecutive_failures=100, window_s=10)
    assert not seen.note(3.0, Sign.FAILED, 0)
    assert not seen.note(1_003.0, Sign.FAILED, 0), "the same slot, ten rounds later"


def test_errors_of_a_tool_count_as_a_share_but_not_in_a_row() -> None:
    seen = window(consecutive_failures=2, calls_min=10)
    assert not any(seen.note(0, Sign.ERROR, 0) for _ in range(9))
    assert seen.note(0, Sign.ERROR, 0)


def test_busy_answers_are_counted_apart() -> None:
    seen = window(busy_answers=3, consecutive_failures=2, calls_min=1)
    assert not seen.note(0, Sign.BUSY, 0)
    assert not seen.note(0, Sign.BUSY, 0)
    assert not seen.note(0, Sign.GOOD, 0)
    assert [bool(seen.note(0, Sign.BUSY, 0)) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(("took_s", "trips"), [(0.9, False), (1.1, True)])
def test_slow_answers_trip_only_where_slowness_is_defined(took_s: float, trips: bool) -> None:
    seen = window(slow_call_s=1.0, calls_min=5, slow_share=1.0)
    assert any(seen.note(0, Sign.GOOD, took_s) for _ in range(5)) is trips
    assert not any(window(calls_min=1).note(0, Sign.GOOD, 1e9) for _ in range(5))
