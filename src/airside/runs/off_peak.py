"""Hours in which work that can wait is done: when the next of them begins. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from airside.config.settings import Settings
from airside.core.clock import SECOND_US

OFF_PEAK = "off_peak"
MINUTE_US = 60 * SECOND_US
_DAYS_SEARCHED = 2


def opening_us(settings: Settings, from_us: int) -> int:
    """Return the first instant from `from_us` on that is off-peak: `from_us` itself if it is.

    Found minute by minute, so that it is right on days on which clocks change.
    """
    if is_off_peak(settings, from_us):
        return from_us
    minute_us = from_us - from_us % MINUTE_US
    for n in range(1, _DAYS_SEARCHED * 24 * 60):
        if is_off_peak(settings, minute_us + n * MINUTE_US):
            return minute_us + n * MINUTE_US
    return from_us


def is_off_peak(settings: Settings, at_us: int) -> bool:
    """Whether an instant is off-peak."""
    hours = settings.runs.off_peak
    here = datetime.fromtimestamp(at_us / SECOND_US, UTC).astimezone(ZoneInfo(settings.time_zone))
    if hours.weekends and here.weekday() >= 5:
        return True
    now = here.strftime("%H:%M")
    if hours.start < hours.end:
        return hours.start <= now < hours.end
    return now >= hours.start or now < hours.end


def ready_us(settings: Settings, window: str, not_before_us: int, now_us: int) -> int:
    """Return when a run may begin that was submitted now."""
    earliest = max(now_us, not_before_us)
    return opening_us(settings, earliest) if window == OFF_PEAK else earliest
