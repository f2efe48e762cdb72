"""How many retries there may be in all: a share of the calls, so that an outage is not met by a storm of them.

A balance for each upstream, as in Finagle's RetryBudget: every call pays a part of a retry in, every retry takes one
out, and a few are free each minute for those who call seldom.
"""

from airside.core.clock import Clock

FREE_PER_S = 60.0  # seconds in which the free retries come back
UPSTREAMS_MAX = 10_000


class RetryBudget:
    """Balances of retries by upstream, in this process."""

    def __init__(self, clock: Clock, *, share: float, free: int) -> None:
        self._clock = clock
        self._share = share
        self._free = float(free)
        self._balances: dict[str, tuple[float, float]] = {}

    def called(self, upstream: str) -> None:
        """Pay for a call that is not a retry."""
        now_s = self._clock.monotonic_s()
        self._balances[upstream] = (min(self._free, self._left(upstream, now_s) + self._share), now_s)

    def take(self, upstream: str) -> bool:
        """Take a retry out; False if there is none left."""
        now_s = self._clock.monotonic_s()
        left = self._left(upstream, now_s)
        enough = left >= 1.0
        self._balances[upstream] = (left - enough, now_s)
        return enough

    def _left(self, upstream: str, now_s: float) -> float:
        if len(self._balances) > UPSTREAMS_MAX:
            self._balances.clear()
        balance, at_s = self._balances.get(upstream, (self._free, now_s))
        return min(self._free, balance + (now_s - at_s) * self._free / FREE_PER_S)
