"""What the caches have saved, counted in memory, written every second: hits, tokens, money, and errors found."""

from collections import defaultdict

from msgspec import Struct

from airside.core.clock import Clock
from airside.core.ports import Database, Transaction
from airside.gateways.models.caching.keys import Room
from airside.journal import queries
from airside.pipeline.afterwork import Afterwork

_SQL = queries.load("airside.gateways.models.caching", "cache.sql")
WRITE_S = 1.0
DAY_US = 86_400_000_000


class Saved(Struct, frozen=True):
    """One addition to the totals. `trials` are answers compared with a fresh one, `wrong` those that differed."""

    hits: int = 0
    tokens: int = 0
    nanousd: int = 0
    trials: int = 0
    wrong: int = 0


class Savings:
    """Adds up, and writes what has come together."""

    def __init__(self, database: Database, clock: Clock, afterwork: Afterwork) -> None:
        self._database = database
        self._clock = clock
        self._afterwork = afterwork
        self._sums: dict[tuple[str, str, str], Saved] = {}
        self._used: dict[tuple[str, bytes], int] = defaultdict(int)
        self._writing = False

    def add(self, tenant_id: str, agent: str, kind: str, saved: Saved) -> None:
        """Count something. `kind` is exact, semantic, joined or prompt; of comparisons, audit or explored."""
        key = (tenant_id, agent, kind)
        old = self._sums.get(key, Saved())
        self._sums[key] = Saved(
            old.hits + saved.hits,
            old.tokens + saved.tokens,
            old.nanousd + saved.nanousd,
            old.trials + saved.trials,
            old.wrong + saved.wrong,
        )
        if not self._writing:
            self._writing = True
            self._afterwork.start(self._write_soon())

    def used(self, room: Room, entry_key: bytes) -> None:
        """Note that an entry was given."""
        self._used[room.tenant_id, entry_key] += 1

    async def _write_soon(self) -> None:
        await self._clock.sleep(WRITE_S)
        self._writing = False
        sums, self._sums = self._sums, {}
        used, self._used = dict(self._used), defaultdict(int)

        async def body(tx: Transaction) -> None:
            for (tenant_id, agent, kind), saved in sorted(sums.items()):
                await tx.execute(
                    _SQL["add_total"],
                    tenant_id=tenant_id,
                    day=tx.now_us // DAY_US,
                    agent=agent,
                    kind=kind,
                    hits=saved.hits,
                    tokens=saved.tokens,
                    nanousd=saved.nanousd,
                    trials=saved.trials,
                    wrong=saved.wrong,
                )
            for (tenant_id, entry_key), hits in sorted(used.items()):
                await tx.execute(_SQL["used"], tenant_id=tenant_id, entry_key=entry_key, hits=hits, now_us=tx.now_us)

        await self._afterwork.insist(lambda: self._database.transact(body))
