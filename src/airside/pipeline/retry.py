"""Retries, as requirement E1 says: transient failures only, three tries in all, 2**n + U(0, 1) seconds apart."""

import random
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from airside.core.call import Call, Outcome, Sink
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded, TransientError
from airside.core.ports import Forward

TRIES_MAX = 3


class Retry:
    """Tries a call again while that is safe. Each try is a reservation and an intent of its own."""

    def __init__(self, clock: Clock, uniform: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._uniform = uniform

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, up to three times.

        Raises MaxRetriesExceeded after the last try, the failure itself if another try would not be safe, and
        `outcome_unknown` if the tries have failed and one of them may have had an effect.
        """
        deadline_s = self._clock.monotonic_s() + call.timeout_s
        watched = _Watched(call.sink) if call.sink else None
        current = replace(call, sink=watched) if watched else call
        for attempt in range(TRIES_MAX):
            try:
                return await forward(current)
            except TransientError as error:
                delivered = watched is not None and watched.delivered
                maybe_sent = current.maybe_sent or error.details.get("not_sent") is not True
                if delivered or (call.side_effect and not call.idempotent and maybe_sent):
                    raise
                wait_s = 2.0**attempt + self._uniform()
                if attempt + 1 == TRIES_MAX or self._clock.monotonic_s() + wait_s >= deadline_s:
                    raise _given_up(current, error, attempt + 1, maybe_sent=maybe_sent) from error
                await self._clock.sleep(wait_s)
                current = replace(current, try_number=current.try_number + 1, maybe_sent=maybe_sent)
        raise AssertionError("the last try returns or raises")


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
