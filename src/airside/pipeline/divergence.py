"""Invariant 12: while recorded side effects wait to be met again, a side effect nobody has recorded is held.

An attempt that re-runs its agent should repeat what it did. A new side effect in the meantime may be a concurrent
branch running ahead, which is let go once the others have met their records, or an agent that does something else now,
which a person must see before anything leaves.
"""

from airside.core.call import Call
from airside.core.clock import Clock
from airside.core.errors import Code
from airside.core.ports import Identities, Journal, Suspensions
from airside.core.run import Identity
from airside.pipeline.waiting import pauses, stop_run

CAUGHT_UP_MAX = 10_000


class Divergence:
    """Holds side effects that run ahead of the replay, and ends attempts that do not come back to their record."""

    def __init__(
        self, journal: Journal, identities: Identities, suspensions: Suspensions, clock: Clock, *, wait_s: float
    ) -> None:
        self._journal = journal
        self._identities = identities
        self._suspensions = suspensions
        self._clock = clock
        self._wait_s = wait_s
        self._caught_up: dict[tuple[str, str, int], None] = {}
        self.replay_misses = 0

    async def hold(self, call: Call) -> None:
        """Return when an unrecorded call may go on: at once for reads, else when all recorded effects are consumed.

        Raises `diverged` (or, supervised, suspends the run and never returns) once nothing else of the attempt has been
        in flight for `wait_s` seconds; raises `killed`.
        """
        unconsumed = await self._unconsumed(call.who)
        if not unconsumed:
            return
        if not call.side_effect:
            self.replay_misses += 1
            return
        quiet_since_s = self._clock.monotonic_s()
        for pause in pauses():
            await self._clock.sleep(pause)
            self._identities.check(call.who, call.kind, call.name)
            left = await self._unconsumed(call.who)
            if not left:
                return
            moving = left != unconsumed or await self._journal.in_flight(call.who)
            unconsumed = left
            if moving:
                quiet_since_s = self._clock.monotonic_s()
            elif self._clock.monotonic_s() - quiet_since_s >= self._wait_s:
                await stop_run(self._suspensions, call, "diverged", Code.DIVERGED, _message(call, unconsumed))

    async def _unconsumed(self, identity: Identity) -> int:
        """Count; once an attempt has met everything that was recorded before it, no more can come."""
        attempt = (identity.tenant_id, identity.run_id, identity.attempt)
        if identity.attempt <= 1 or attempt in self._caught_up:
            return 0
        count = await self._journal.unconsumed_effects(identity)
        if not count:
            self._caught_up[attempt] = None
            if len(self._caught_up) > CAUGHT_UP_MAX:
                del self._caught_up[next(iter(self._caught_up))]
        return count


def _message(call: Call, unconsumed: int) -> str:
    effects = "a recorded side effect" if unconsumed == 1 else f"{unconsumed} recorded side effects"
    return f"the agent asked for {call.name} in a way not recorded before, instead of repeating {effects}"
