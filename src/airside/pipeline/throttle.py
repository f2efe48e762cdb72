"""Slower near the end of a budget: a call waits a moment before it reserves anything (requirement D9).

The wait grows from nothing where throttling begins to `delay_s_max` just below the limit. It is bounded by a half of
the call's own time and by the run's deadline, and a call that is answered from a cache does not wait.
"""

from collections.abc import Callable

from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.clock import SECOND_US, Clock
from airside.core.ports import Forward
from airside.core.run import Identity

Pace = Callable[[Identity], float]
"""Returns how many seconds a call of somebody should wait now."""

SHARE_OF_TIMEOUT = 0.5


class Throttle:
    """Lets calls wait while a budget that they are charged to is nearly spent."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, perhaps after a while, with a note of how long it waited."""
        wait_s = 0.0 if call.ready else self._pace(call.who)
        if wait_s > 0:
            left_s = (call.who.deadline_us - self._clock.now_us()) / SECOND_US
            wait_s = max(0.0, min(wait_s, call.timeout_s * SHARE_OF_TIMEOUT, left_s * SHARE_OF_TIMEOUT))
            await self._clock.sleep(wait_s)
            waited = call.timeout_s - wait_s
            call = replace(call, timeout_s=waited, notes={**call.notes, "throttled_ms": round(wait_s * 1_000)})
        return await forward(call)
