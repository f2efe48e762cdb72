"""The calendar that rules count by: periods in a time zone, and minutes of a week."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from airside.core.clock import SECOND_US
from airside.policy.conditions import Period

_MINUTE_US = 60 * SECOND_US
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def period_start_us(period: Period, zone: str, at_us: int) -> int:
    """Return when the period that an instant falls into began; a run's is 0.

    Hours are those of the zone's clock, each 60 minutes of real time, also the one that clocks repeat in autumn.
    """
    return 0 if period is Period.RUN else _start_us(period, zone, at_us // _MINUTE_US)


def weekday_and_minute(zone: str, at_us: int) -> tuple[str, int]:
    """Return the day of the week and the minute of the day that clocks in a zone show."""
    return _shown(zone, at_us // _MINUTE_US)


@lru_cache(maxsize=4_096)
def _start_us(period: Period, zone: str, minute: int) -> int:
    here = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(zone))
    if period is Period.HOUR:
        return (minute - here.minute) * _MINUTE_US
    first = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period is Period.MONTH:
        first = first.replace(day=1)
    return int(first.timestamp()) * SECOND_US


@lru_cache(maxsize=4_096)
def _shown(zone: str, minute: int) -> tuple[str, int]:
    here = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(zone))
    return DAYS[here.weekday()], here.hour * 60 + here.minute
