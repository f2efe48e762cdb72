"""The risk of every run: how sure the surest finding of each guard was, and how many there were.

Implements `guards.ports.Risks`. What rises is remembered at once and written soon; what is asked for is what the
database holds and what is not written yet, so that a run that goes on in another process takes its risk with it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog
from msgspec import Struct, field

from airside.core.errors import AirsideError
from airside.core.lru import Lru
from airside.core.ports import Database, Transaction
from airside.core.run import Identity
from airside.guards.finding import Finding, Guard, Place
from airside.journal.queries import load

_SQL = load("airside.guards.risk", "risk.sql")
_log = structlog.get_logger(__name__)

HOSTILE: Final = frozenset({Guard.INJECTION, Guard.LEAKAGE, Guard.EXFILTRATION})
"""Guards whose findings hint at an attack; what others find (an address, a key) is counted, and makes no run risky."""

RUNS_MAX: Final = 2_000
SEEN_MAX: Final = 500
PAUSE_S: Final = 0.05
RETRY_S: Final = 1.0
CLOSE_S: Final = 2.0
Key = tuple[str, str]


class Raised(Struct):
    """What one guard has found in a run: how many findings, and the score of the surest."""

    findings: int = 0
    score: float = 0.0

    def add(self, other: "Raised") -> None:
        """Take in what was found elsewhere."""
        self.findings += other.findings
        self.score = max(self.score, other.score)


class _Run(Struct):
    """What this process has seen of a run: of each guard all, and what is not written yet; each finding counts once."""

    all: dict[Guard, Raised] = field(default_factory=dict)
    unwritten: dict[Guard, Raised] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)


class RunRisks:
    """Remembers and writes. `start` and `close` belong to the process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._runs: Lru[Key, _Run] = Lru(RUNS_MAX)
        self._due: dict[Key, _Run] = {}
        self._news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write_on(), name="risks of runs")

    async def close(self) -> None:
        """Write what is not written yet, and stop."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        with suppress(AirsideError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.flush()

    def rose(self, who: Identity, place: Place, finding: Finding) -> None:
        """Take in a finding of a run; the same one, met again as the conversation goes on, counts once."""
        if not who.run_id:
            return
        at = (who.tenant_id, who.run_id)
        run = self._runs.get(at) or self._due.get(at) or _Run()
        self._runs.put(at, run)
        name = hash((place, finding))
        if name in run.seen or (len(run.seen) >= SEEN_MAX and not _higher(run, finding)):
            return
        run.seen.add(name)
        for raised in (run.all, run.unwritten):
            raised.setdefault(finding.guard, Raised()).add(Raised(1, finding.score))
        self._due[at] = run
        self._news.set()

    async def of(self, who: Identity) -> float:
        """Return how risky a run is, from 0 to 1: the score of the surest finding that hints at an attack."""
        found = await self.by_guard(who.tenant_id, who.run_id)
        return max((found[guard].score for guard in HOSTILE if guard in found), default=0.0)

    async def by_guard(self, tenant_id: str, run_id: str) -> Mapping[Guard, Raised]:
        """Return what was found in a run, in this process and others."""
        run = self._runs.get((tenant_id, run_id)) or self._due.get((tenant_id, run_id))
        mine = {guard: Raised(one.findings, one.score) for guard, one in run.unwritten.items()} if run else {}
        rows = await self._database.look_up(lambda tx: tx.fetch(_SQL["of_run"], tenant_id=tenant_id, run_id=run_id))
        for row in rows:
            mine.setdefault(Guard(row["guard"]), Raised()).add(Raised(int(row["findings"]), float(row["score"])))
        if run is not None:  # what is on its way to the database is neither unwritten nor read
            for guard, one in run.all.items():
                mine.setdefault(guard, Raised()).score = max(mine[guard].score, one.score)
        return mine

    async def flush(self) -> None:
        """Write what is not written yet."""
        while self._due:
            at, run = next(iter(self._due.items()))
            del self._due[at]
            unwritten, run.unwritten = run.unwritten, {}
            try:
                await self._database.transact(lambda tx: _write(tx, at, unwritten))  # noqa: B023 - awaited right here
            except BaseException:
                for guard, one in unwritten.items():
                    run.unwritten.setdefault(guard, Raised()).add(one)
                self._due[at] = run
                raise

    async def _write_on(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(PAUSE_S)  # the findings of one turn are written together
            self._news.clear()
            try:
                await self.flush()
            except AirsideError as error:
                _log.warning("risks_not_written", code=error.code.value)
                await asyncio.sleep(RETRY_S)
                self._news.set()


def _higher(run: _Run, finding: Finding) -> bool:
    known = run.all.get(finding.guard)
    return known is None or finding.score > known.score


async def _write(tx: Transaction, at: Key, unwritten: Mapping[Guard, Raised]) -> None:
    for guard, one in sorted(unwritten.items()):
        await tx.execute(
            _SQL["raise"],
            tenant_id=at[0],
            run_id=at[1],
            guard=guard.value,
            findings=one.findings,
            score=one.score,
            now_us=tx.now_us,
        )
