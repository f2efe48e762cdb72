"""A throttled call waits before it reserves anything, never past half of its time, and cached answers do not wait."""

import pytest
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.clock import SECOND_US
from airside.pipeline.throttle import Throttle
from airside.testing.clock import FakeClock
from tests.journal import world


@pytest.mark.parametrize(
    ("pace_s", "timeout_s", "deadline_s", "waits_s"),
    [(0.0, 60.0, 900.0, []), (2.0, 60.0, 900.0, [2.0]), (2.0, 1.0, 900.0, [0.5]), (2.0, 60.0, 1.0, [0.5])],
)
async def test_a_wait_is_bounded(pace_s: float, timeout_s: float, deadline_s: float, waits_s: list[float]) -> None:
    clock = FakeClock()
    who = replace(world.who(), deadline_us=clock.now_us() + int(deadline_s * SECOND_US))
    seen: list[Call] = []

    async def forward(call: Call) -> Outcome:
        seen.append(call)
        return Outcome(state=CallState.OK, body=b"{}")

    call = world.call(identity=who, timeout_s=timeout_s)
    await Throttle(lambda _: pace_s, clock)(call, forward)
    assert clock.slept_s == waits_s
    assert seen[0].timeout_s == timeout_s - sum(waits_s)
    assert ("throttled_ms" in seen[0].notes) == bool(waits_s)
    await Throttle(lambda _: pace_s, clock)(replace(call, ready=Outcome(state=CallState.OK, body=b"{}")), forward)
    assert clock.slept_s == waits_s
