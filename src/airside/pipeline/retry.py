"""Retries, as requirement E1 says: transient failures only, three tries in all, 2**n + U(0, 1) seconds apart.

A provider that says when to ask again is obeyed, if that is before the deadline. No try gets more time than is left.
"""

import random
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from airside.core.call import Call, Outcome, Sink
from airside.core.clock import Clock
from airside.core.dependencies import DependenciesOf
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded, TransientError
from airside.core.ports import Forward
from airside.pipeline.refusal import Refusal
from airside.pipeline.retries import RetryBudget

TRIES_MAX = 3


class Retry:
    """Tries a call again while that is safe. Each try is a reservation and an intent of its own."""

    def __init__(
        self,
        clock: Clock,
        uniform: Callable[[], float] = random.random,
        *,
        budget: RetryBudget | None = None,
        dependencies_of: DependenciesOf = lambda _: (),
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._budget = budget
        self._dependencies_of = dependencies_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, up to three times, each time with the time that is left as its timeout.

        Raises MaxRetriesExceeded after the last try, the failure itself if another try would not be safe, and
        `outcome_unknown` if the tries have failed and one of them may have had an effect.
        """
        now_s = self._clock.monotonic_s()
        deadline_s = min(now_s + call.timeout_s, call.deadline_s)
        if deadline_s <= now_s:
            raise Refusal(call, Code.UPSTREAM_TIMEOUT, "the time for this call was used up before it could be made")
        upstream = self._upstream(call)
        watched = _Watched(call.sink) if call.sink else None
        current = replace(call, sink=watched) if watched else call
        for attempt in range(TRIES_MAX):
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s < current.timeout_s:
                current = replace(current, timeout_s=left_s)
            try:
                return await forward(current)
            except TransientError as error:
                delivered = watched is not None and watched.delivered
                maybe_sent = current.maybe_sent or error.details.get("not_sent") is not True
                if delivered or (call.side_effect and not call.idempotent and maybe_sent):
                    raise
                wait_s = max(2.0**attempt, error.retry_after_s or 0.0) + self._uniform()
                last = attempt + 1 == TRIES_MAX or self._clock.monotonic_s() + wait_s >= deadline_s
                if last or not self._may_retry(upstream):
                    raise _given_up(current, error, attempt + 1, maybe_sent=maybe_sent) from error
                await self._clock.sleep(wait_s)
                current = replace(current, try_number=current.try_number + 1, maybe_sent=maybe_sent)
        raise AssertionError("the last try returns or raises")

    def _upstream(self, call: Call) -> str:
        """Return what the call's retries are counted for, having paid for the call."""
        dependencies = self._dependencies_of(call)
        if self._budget is None or not dependencies:
            return ""
        self._budget.called(dependencies[0].name)
        return dependencies[0].name

    def _may_retry(self, upstream: str) -> bool:
        return self._budget is None or not upstream or self._budget.take(upstream)


class _Watched:
    """A sink that remembers whether the client has been given anything, after which no retry is possible."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.delivered = False

    def write(self, chunk: bytes) -> Awaitable[None]:
        self.delivered = True
        return self._sink.write(chunk)


def _given_up(call: Call, error: TransientError, tries: int, *, maybe_sent: bool) -> AirsideError:
    details = {**error.details, "tries": tries}
    final: AirsideError
    if call.side_effect and maybe_sent:
        final = AirsideError(
            Code.OUTCOME_UNKNOWN, f"{call.name}: {error.message} (after {tries} tries)", details=details
        )
    else:
        message = f"{error.message} (after {tries} {'try' if tries == 1 else 'tries'})"
        final = MaxRetriesExceeded(error.code, message, details=details, retry_after_s=error.retry_after_s)
    final.recorded, final.call_id = error.recorded, error.call_id
    return final
