"""Ids sort by time and do not repeat; secrets carry 256 bits."""

import re

import pytest
import time_machine

from airside.core.ids import new_id, new_secret


def test_shape_and_uniqueness() -> None:
    made = {new_id("run") for _ in range(20_000)}
    assert len(made) == 20_000
    assert all(re.fullmatch(r"run_[0-9a-hjkmnp-tv-z]{26}", one) for one in made)


@pytest.mark.parametrize(("earlier", "later"), [(0.0, 0.001), (1_700_000_000.0, 1_700_000_000.5), (1e9, 1e10)])
def test_a_later_id_sorts_after_an_earlier(earlier: float, later: float) -> None:
    with time_machine.travel(earlier, tick=False):
        first = new_id("run")
    with time_machine.travel(later, tick=False):
        second = new_id("run")
    assert first < second


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret("rt") for _ in range(5_000)}
    assert len(made) == 5_000
    assert all(re.fullmatch(r"rt_[0-9a-hjkmnp-tv-z]{52}", one) for one in made)
    for position in range(3, 3 + 51):
        assert len({one[position] for one in made}) == 32, "every character is random"
