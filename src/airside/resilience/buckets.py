"""Token buckets in exact integers: thousandths of a request or token, microseconds of the database's clock.

A bucket holds a minute's worth and is refilled evenly, so within any span of m minutes at most m + 1 minutes' worth
leaves it. Pure.
"""

from typing import NamedTuple

UNIT = 1_000
MINUTE_US = 60_000_000
SKEW_US = MINUTE_US
"""A transaction that waited for the row has the time of its beginning; what is further back is a clock set back."""


class Level(NamedTuple):
    """What a bucket holds at an instant; below zero after more was used than expected."""

    units: int
    updated_us: int


def full(per_minute: int, now_us: int) -> Level:
    """Return a bucket that nobody has used."""
    return Level(per_minute * UNIT, now_us)


def refilled(level: Level, per_minute: int, now_us: int) -> Level:
    """Return a bucket as it stands now; a clock that has gone back gains nothing.

    Time that is too short for a unit is kept for later: the instant moves only by what was gained, rounded up.
    """
    capacity = per_minute * UNIT
    elapsed_us = now_us - level.updated_us
    if elapsed_us < 0:
        return Level(min(level.units, capacity), level.updated_us if elapsed_us > -SKEW_US else now_us)
    gained = elapsed_us * capacity // MINUTE_US
    if not capacity or level.units + gained >= capacity:
        return Level(min(level.units + gained, capacity), now_us)
    return Level(level.units + gained, level.updated_us - (-gained * MINUTE_US // capacity))


def exchanged(level: Level, per_minute: int, back: int, least: int, most: int) -> tuple[Level, int]:
    """Give units back and take at least `least` and at most `most`, or none; return the bucket and what was taken."""
    units = min(level.units + back, per_minute * UNIT)
    taken = min(units, most) if units >= least else 0
    return Level(units - taken, level.updated_us), taken


def wait_s(level: Level, per_minute: int, least: int) -> float:
    """Return how long until a bucket holds `least`; a minute if it never will."""
    if not per_minute:
        return 60.0
    return max(0.0, (least - level.units) * 60 / (per_minute * UNIT))
