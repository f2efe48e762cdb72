"""What one process has lately seen of one dependency, and when that is reason enough to switch it off. No I/O."""

from airside.config.resilience import BreakerSettings
from airside.core.dependencies import Sign

SLOTS = 10


class Window:
    """Counts the ends of calls over a sliding window of ten slots, and those in a row."""

    __slots__ = ("_busy_in_a_row", "_calls", "_failed", "_in_a_row", "_numbers", "_settings", "_slot_s", "_slow")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._slot_s = settings.window_s / SLOTS
        self._numbers = [-1] * SLOTS
        self._calls, self._failed, self._slow = [0] * SLOTS, [0] * SLOTS, [0] * SLOTS
        self._in_a_row = 0
        self._busy_in_a_row = 0

    def note(self, now_s: float, sign: Sign, took_s: float) -> str:
        """Count the end of a call at an instant of the monotonic clock; return why to switch off, or nothing."""
        settings = self._settings
        number = int(now_s / self._slot_s)
        slot = number % SLOTS
        if self._numbers[slot] != number:
            self._numbers[slot] = number
            self._calls[slot] = self._failed[slot] = self._slow[slot] = 0
        if sign is Sign.BUSY:
            self._busy_in_a_row += 1
            enough = self._busy_in_a_row >= settings.busy_answers
            return f"{self._busy_in_a_row} answers in a row said that it is asked too often" if enough else ""
        self._calls[slot] += 1
        self._busy_in_a_row = 0
        if sign is Sign.GOOD:
            self._in_a_row = 0
            if settings.slow_call_s is None or took_s < settings.slow_call_s:
                return ""
            self._slow[slot] += 1
            return self._too_slow(number)
        self._failed[slot] += 1
        self._in_a_row = self._in_a_row + 1 if sign is Sign.FAILED else 0
        if self._in_a_row >= settings.consecutive_failures:
            return f"{self._in_a_row} calls in a row failed"
        return self._too_many(number)

    def _too_many(self, number: int) -> str:
        calls, failed = self._sum(self._calls, number), self._sum(self._failed, number)
        if calls < self._settings.calls_min or failed < self._settings.failure_share * calls:
            return ""
        return f"{failed} of {calls} calls within {self._settings.window_s:g} s failed"

    def _too_slow(self, number: int) -> str:
        calls, slow = self._sum(self._calls, number), self._sum(self._slow, number)
        if calls < self._settings.calls_min or slow < self._settings.slow_share * calls:
            return ""
        return (
            f"{slow} of {calls} calls within {self._settings.window_s:g} s took over {self._settings.slow_call_s:g} s"
        )

    def _sum(self, counts: list[int], number: int) -> int:
        return sum(count for count, at in zip(counts, self._numbers, strict=True) if at > number - SLOTS)
