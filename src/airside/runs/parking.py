"""Parked runs: what waits for a breaker to close goes back to the queue when it does, a few at a time.

While the breaker is open, one run is let go when a trial is due, so that a breaker nobody else calls closes too. Once
it is closed the runs follow at a steady pace: a dependency that has just come back is not met by all at once. A run
that waits longer than it may is failed, with what it has achieved so far as its result.
"""

from msgspec import Struct

from airside.config.settings import RunSettings
from airside.core.clock import SECOND_US
from airside.core.dependencies import Dependency
from airside.core.errors import Code
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs import partial, transitions
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "parking.sql")

PACE_US = SECOND_US  # between two batches that a breaker lets go
TRIAL_US = 5 * SECOND_US  # how long a run that is let go for a trial has to make its call, before another is

SKEW_US = 60 * SECOND_US  # a transaction that waited for the breaker's row has the time of its beginning


async def wait_for(tx: Transaction, run: RunRecord, dependency: Dependency) -> None:
    """Note what a locked run is about to be parked for."""
    await tx.execute(
        _SQL["wait"],
        tenant_id=run.tenant_id,
        run_id=run.run_id,
        breaker_tenant_id=dependency.tenant_id,
        breaker=dependency.name,
        now_us=tx.now_us,
    )


class Release(Struct, frozen=True):
    """How many runs a breaker lets go now, and how long it then lets none go."""

    runs: int
    pause_us: int


def release_of(breaker: Row | None, now_us: int, per_second: int) -> Release:
    """Return how many parked runs may go on account of their breaker. Pure.

    None is one without a row: it has never opened in this database, so nothing holds its runs.
    """
    if breaker is None or breaker["state"] == "closed":
        return Release(per_second, PACE_US)
    clock_went_back = breaker["opened_us"] > now_us
    due = breaker["due_us"] <= now_us or clock_went_back
    if breaker["forced"] or not due or now_us < breaker["probe_until_us"] <= now_us + 86_400 * SECOND_US:
        return Release(0, 0)
    return Release(1, TRIAL_US)


class Parking:
    """Lets parked runs go, and ends those that have waited too long."""

    def __init__(self, database: Database, keyring: Keyring, settings: RunSettings, signals: Signals) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._signals = signals

    async def sweep(self) -> None:
        """Do one pass. Safe in several processes at once: a mark on the breaker's row is moved by one of them."""
        groups = await self._database.read(_waited_for)
        if groups:
            await self._end_overdue()  # first, or a breaker that flaps would keep its runs for ever
        for group in groups:
            await self.release(Dependency(group["breaker_tenant_id"], group["breaker"]))

    async def release(self, dependency: Dependency) -> int:
        """Queue the runs that a breaker lets go now, spread over the coming second; return how many there were."""
        named = {"breaker_tenant_id": dependency.tenant_id, "breaker": dependency.name}

        async def body(tx: Transaction) -> list[RunRecord]:
            breaker = await tx.one(_SQL["breaker"], **named)
            allowed = release_of(breaker, tx.now_us, self._settings.resume_per_s)
            if not allowed.runs:
                return []
            taken = await tx.execute(
                _SQL["take"],
                **named,
                now_us=tx.now_us,
                before_us=tx.now_us - allowed.pause_us,
                ahead_us=tx.now_us + allowed.pause_us + SKEW_US,
            )
            if breaker is not None and not taken:
                return []
            rows = await tx.fetch(_SQL["waiting"], **named, n=allowed.runs)
            step_us = PACE_US // allowed.runs
            turns = {(row["tenant_id"], row["run_id"]): tx.now_us + turn * step_us for turn, row in enumerate(rows)}
            resumed = [await _resumed(tx, key, turns[key]) for key in sorted(turns)]  # all lock in this order
            return [run for run in resumed if run]

        runs = await self._database.transact(body)
        for run in runs:
            self._signals.tell(run)
        return len(runs)

    async def forget(self, tx: Transaction) -> None:
        """Remove what is known of the waits of runs that have ended."""
        await tx.execute(_SQL["forget"])

    async def _end_overdue(self) -> None:
        park_us_max = int(self._settings.park_max_s * SECOND_US)

        async def overdue(tx: Transaction) -> list[tuple[RunRecord, str]]:
            rows = await tx.fetch(_SQL["overdue"], now_us=tx.now_us, park_us_max=park_us_max)
            return [(await transitions.look(tx, row["tenant_id"], row["run_id"]), row["breaker"]) for row in rows]

        for run, breaker in await self._database.read(overdue):
            message = f"{breaker} did not recover within {self._settings.park_max_s:g} s (runs.park_max_s)"
            await self._fail(run, message)

    async def _fail(self, run: RunRecord, message: str) -> None:
        """End a run as failed; its result is what it has achieved so far."""
        content = await partial.compose(self._database, self._keyring, run, message)
        sealed = (await self._keyring.subject(run.tenant_id, run.subject)).seal(content)

        async def body(tx: Transaction) -> RunRecord | None:
            now = await transitions.lock(tx, run.tenant_id, run.run_id)
            if now.state is not RunState.PARKED or now.version != run.version:
                return None
            await tx.store(sealed)
            code = Code.UPSTREAM_FAILED.value
            return await transitions.move(
                tx, now, RunState.FAILED, code=code, message=message, result=sealed.content_id
            )

        if ended := await self._database.transact(body):
            self._signals.tell(ended)


async def _waited_for(tx: Transaction) -> list[Row]:
    return list(await tx.fetch(_SQL["breakers"]))


async def _resumed(tx: Transaction, key: tuple[str, str], ready_us: int) -> RunRecord | None:
    run = await transitions.lock(tx, *key)
    if run.state is not RunState.PARKED or run.code != Code.BREAKER_OPEN:
        return None
    await tx.execute(_SQL["resumed"], tenant_id=run.tenant_id, run_id=run.run_id, now_us=tx.now_us)
    return await transitions.move(tx, run, RunState.QUEUED, ready_us=ready_us)
