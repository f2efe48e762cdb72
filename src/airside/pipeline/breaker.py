"""Is what it leans on working: calls to what fails are refused for a while, and a few are let through to see.

The innermost step before `record`, so that a refusal holds no reservation and each try is counted for itself.
"""

from airside.core.call import Call, CallKind, Outcome
from airside.core.clock import Clock
from airside.core.dependencies import Breakers, DependenciesOf, Sign
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.pipeline.refusal import Refusal

TIMER_SLACK_S = 0.05
_FAILURES = frozenset({Code.UPSTREAM_FAILED, Code.UPSTREAM_TIMEOUT, Code.OUTCOME_UNKNOWN})


class Breaker:
    """Lets calls pass whose dependencies are not switched off, and tells the breakers how they ended."""

    def __init__(
        self,
        breakers: Breakers,
        dependencies_of: DependenciesOf,
        clock: Clock,
        *,
        hang_s: float,
    ) -> None:
        self._breakers = breakers
        self._dependencies_of = dependencies_of
        self._clock = clock
        self._hang_s = hang_s

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on; raises `breaker_open` with the time to wait, and the dependency in `details`."""
        dependencies = () if call.ready is not None else self._dependencies_of(call)
        if not dependencies:
            return await forward(call)
        probe = None
        if not self._breakers.closed(dependencies):
            try:
                probe = await self._breakers.probe(dependencies)
            except AirsideError as error:
                raise Refusal.of(call, error) from error
        began_s, sign, retry_after_s = self._clock.monotonic_s(), Sign.NONE, None
        try:
            outcome = await forward(call)
            # A local tool has only begun: how it ends is told by its report, and a trial is good that got so far.
            sign = Sign.NONE if outcome.pending and probe is None else Sign.GOOD
        except AirsideError as error:
            sign, retry_after_s = self._sign(call, error, began_s), error.retry_after_s
            raise
        finally:
            if probe is not None:
                probe.end(sign, retry_after_s)
            else:
                self._breakers.note(dependencies, sign, self._clock.monotonic_s() - began_s, retry_after_s)
        return outcome

    def _sign(self, call: Call, error: AirsideError, began_s: float) -> Sign:
        """Return what a failure says of the dependency. What is not the dependency's doing says nothing."""
        if not error.recorded:
            return Sign.NONE  # it did not leave
        if error.code in _FAILURES:
            now_s = self._clock.monotonic_s()
            timed_out = error.code is not Code.UPSTREAM_FAILED and now_s >= call.deadline_s - TIMER_SLACK_S
            impatient = timed_out and now_s - began_s < self._hang_s
            return Sign.NONE if impatient else Sign.FAILED
        if error.code is Code.RATE_LIMITED:
            return Sign.BUSY
        if error.code is Code.TOOL_FAILED and call.kind is CallKind.TOOL:
            return Sign.ERROR
        return Sign.GOOD if error.code in {Code.UPSTREAM_REJECTED, Code.INVALID_ARGUMENTS} else Sign.NONE
