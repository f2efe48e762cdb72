"""The journal clock: what an attempt takes for the time, so that a replay reads the same times as the original.

It starts where the run started and moves to the instant at which each answer was recorded. Between two answers it
stands still for up to HOLD_S, so that a time read between them is the same in every attempt, and then runs on, so that
nothing that waits for a time waits for ever. When replay is over, answers are recorded as they come and the clock is
right to within HOLD_S. `time.monotonic`, timeouts and sleeps are not touched.

time-machine does the patching: it replaces the C functions behind `time` and `datetime` themselves, so names that an
agent imported long before are covered. Subclassing `datetime` by hand would miss those and break `isinstance`.
"""

import time
from typing import Final

import time_machine

HOLD_S: Final = 1.0
_SECOND_NS: Final = 1_000_000_000


class JournalClock(time_machine.Traveller):
    """The one clock of an attempt's process."""

    def __init__(self, start_us: int) -> None:
        super().__init__(start_us * 1_000, None, tick=True)
        self._since = time.monotonic()

    def time_ns(self) -> int:
        """Return what time it is for the agent, in nanoseconds since 1970."""
        passed = time.monotonic() - self._since
        return self._destination_timestamp_ns + (int(passed * _SECOND_NS) if passed > HOLD_S else 0)

    def saw(self, recorded_us: int) -> None:
        """Move to the instant of a recorded answer; concurrent answers may come in any order, time never goes back."""
        self._destination_timestamp_ns = max(recorded_us * 1_000, self.time_ns())
        self._since = time.monotonic()


def install(start_us: int) -> JournalClock:
    """Make the journal clock this process's time, for good."""
    time_machine.travel(start_us / 1_000_000, tick=True).start()
    clock = JournalClock(start_us)
    time_machine.traveller_stack[-1] = clock
    return clock
