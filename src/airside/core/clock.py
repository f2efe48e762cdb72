"""Time as a port, so that tests own it. Instants are integers of microseconds since 1970 in UTC."""

import asyncio
import time
from typing import Protocol

SECOND_US = 1_000_000


class Clock(Protocol):
    """What airside asks of time."""

    def now_us(self) -> int:
        """Return the current instant in microseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, for measuring and deadlines inside one process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds."""
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
