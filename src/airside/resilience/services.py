"""What stands against failing dependencies, put together for one process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from airside.config.settings import Settings
from airside.core.clock import Clock
from airside.core.ports import Database
from airside.resilience.breakers import SharedBreakers
from airside.resilience.bulkheads import LocalBulkheads
from airside.resilience.notices import DatabaseNotices
from airside.resilience.rates import LeasedRates


@dataclass(frozen=True)
class Resilience:
    """The services of one process."""

    breakers: SharedBreakers
    bulkheads: LocalBulkheads
    call_rates: LeasedRates
    submission_rates: LeasedRates
    notices: DatabaseNotices

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, database: Database, clock: Clock) -> AsyncIterator["Resilience"]:
        """Make the services and let them learn and write behind the calls while this is open."""
        notices = DatabaseNotices(database, clock, settings.notices)
        made = Resilience(
            breakers=SharedBreakers(database, clock, settings.resilience.breakers, notices),
            bulkheads=LocalBulkheads(settings.resilience.bulkheads),
            call_rates=LeasedRates(database, clock, settings.rates.calls, "calls"),
            submission_rates=LeasedRates(database, clock, settings.rates.submissions, "submissions"),
            notices=notices,
        )
        async with AsyncExitStack() as stack:
            for service in (notices, made.call_rates, made.submission_rates, made.breakers):
                await service.start()
                stack.push_async_callback(service.close)
            yield made
