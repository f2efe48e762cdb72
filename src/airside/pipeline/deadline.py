"""How long anybody waits: the run's own end, and what the caller wishes, become one instant that later steps keep to.

The wish is `x-airside-timeout-s`. Without it, and without a stream, the SDK's own read timeout is taken for it: past it
the SDK has gone, and an answer would be paid for nobody. (Of a stream the SDK's timeout bounds each silence only.)
"""

import math

from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import Code
from airside.core.ports import Forward
from airside.pipeline.refusal import Refusal

WISH = "timeout-s"
SDK_WISH = "sdk-timeout-s"


class Deadline:
    """Gives each call the instant after which nobody waits for its answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its deadline; raises `invalid_request` for a wish that is no positive number."""
        left_s = (call.who.deadline_us - self._clock.now_us()) / SECOND_US
        wishes = call.wishes
        if WISH in wishes:
            wished_s = _seconds(wishes[WISH])
            if wished_s is None:
                raise Refusal(call, Code.INVALID_REQUEST, f"x-airside-{WISH} must be a number of seconds above 0")
            left_s = min(left_s, wished_s)
        elif SDK_WISH in wishes and call.sink is None:
            left_s = min(left_s, _seconds(wishes[SDK_WISH]) or math.inf)
        return await forward(replace(call, deadline_s=self._clock.monotonic_s() + left_s))


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None
