"""A clock that the test owns."""

import asyncio

from airside.core.clock import SECOND_US

START_US = 1_790_000_000 * SECOND_US
FAR_US = 4_000_000_000 * SECOND_US
"""Beyond every instant that a test comes to."""


class FakeClock:
    """A clock that the test owns. With `jumping` (the default) a sleep moves it at once; else `advance` does."""

    def __init__(self, *, jumping: bool = True) -> None:
        self.slept_s: list[float] = []
        self._elapsed_s = 0.0
        self._jumping = jumping
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        """Return microseconds since the epoch; it starts in 2026."""
        return START_US + round(self._elapsed_s * SECOND_US)

    def monotonic_s(self) -> float:
        """Return the seconds that have passed on this clock."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock; every wait is noted in `slept_s`."""
        self.slept_s.append(seconds)
        if self._jumping:
            self._elapsed_s += seconds
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking sleepers in the order in which they are due."""
        until_s = self._elapsed_s + seconds
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until_s]:
            next_due = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(next_due)
            self._elapsed_s = max(self._elapsed_s, next_due[0])
            if not next_due[1].done():
                next_due[1].set_result(None)
            await asyncio.sleep(0)
        self._elapsed_s = until_s
