"""Identical calls under way at the same time share one: the first makes it, the others wait and are given its answer.

Only calls of different runs: within one run two equal calls are two occurrences, which replay must tell apart.
"""

import asyncio

from msgspec import Struct

from airside.core.call import Outcome


class Flight(Struct):
    """A call under way, for which `waiting` others wait. Its future holds its answer, or None: nothing to share."""

    run_id: str
    call_id: str
    answer: "asyncio.Future[Outcome | None]"
    waiting: int = 0


class InFlight:
    """The calls of this process that others may join, by the name of their request."""

    def __init__(self) -> None:
        self._flights: dict[tuple[str, bytes], Flight] = {}

    def of(self, tenant_id: str, key: bytes) -> Flight | None:
        """Return the call under way for a request, if there is one."""
        return self._flights.get((tenant_id, key))

    def lead(self, tenant_id: str, key: bytes, run_id: str, call_id: str) -> Flight:
        """Begin a flight that others may join; it must be landed, whatever happens."""
        flight = Flight(run_id, call_id, asyncio.get_running_loop().create_future())
        self._flights[tenant_id, key] = flight
        return flight

    @property
    def waiting(self) -> int:
        """How many calls wait for others."""
        return sum(flight.waiting for flight in self._flights.values())

    def land(self, tenant_id: str, key: bytes, flight: Flight, answer: Outcome | None) -> None:
        """End a flight. Without an answer (a failure, a client that has gone) those who wait try for themselves."""
        if self._flights.get((tenant_id, key)) is flight:
            del self._flights[tenant_id, key]
        if not flight.answer.done():
            flight.answer.set_result(answer)


async def joined(flight: Flight, timeout_s: float) -> Outcome | None:
    """Wait for the answer of a flight, at most `timeout_s` seconds; None if it has none, or none in time."""
    flight.waiting += 1
    try:
        return await asyncio.wait_for(asyncio.shield(flight.answer), timeout_s)
    except TimeoutError:
        return None
    finally:
        flight.waiting -= 1
