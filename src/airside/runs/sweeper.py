"""The sweeper: what was left lying by processes that died, by people who did not answer, by time itself.

Every pass is safe to run in several processes at once: each finding is acted on under the run's lock, where it is
looked at again.
"""

import json
from collections.abc import Sequence

from airside.core.clock import SECOND_US
from airside.core.errors import Code
from airside.core.ports import Database, Row, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs import transitions
from airside.runs.attempts import Attempts
from airside.runs.external import External
from airside.runs.handoffs import Handoffs
from airside.runs.isolation.port import AttemptEnd, EndKind
from airside.runs.orphans import Orphans
from airside.runs.parking import Parking
from airside.runs.record import RunRecord
from airside.runs.reviews import Reviews
from airside.runs.signals import Signals

_SQL = load("airside.runs", "attempts.sql")
_RUNS = load("airside.runs", "runs.sql")
_KEYS = load("airside.runs", "keys.sql")

FORGET_US = 86_400 * SECOND_US
"""How long the row of a dead executor is kept, for whoever looks into what happened."""


class Sweeper:
    """Looks for what is overdue and sets it right."""

    def __init__(
        self,
        database: Database,
        attempts: Attempts,
        orphans: Orphans,
        reviews: Reviews,
        external: External,
        parking: Parking,
        handoffs: Handoffs,
        signals: Signals,
    ) -> None:
        self._database = database
        self._attempts = attempts
        self._orphans = orphans
        self._reviews = reviews
        self._external = external
        self._parking = parking
        self._handoffs = handoffs
        self._signals = signals

    async def sweep(self) -> None:
        """Do one pass over what somebody waits for: dead workers' runs and calls, overdue reviews, parked runs."""
        await self.crashed_attempts()
        await self._orphans.sweep()
        await self._reviews.expire()
        await self.parked_runs()
        await self._parking.sweep()
        await self._handoffs.sweep()

    async def tidy(self) -> None:
        """Do one pass over what costs more to find and is less urgent."""
        await self.unrunnable_runs()
        await self._external.close_idle()
        await self._database.transact(_forget)
        await self._database.transact(self._parking.forget)

    async def crashed_attempts(self) -> int:
        """End the attempts whose lease is gone, and return how many there were."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["expired"], now_us=tx.now_us)

        rows = await self._database.read(body)
        for row in rows:
            await self._crashed(row)
        return len(rows)

    async def _crashed(self, row: Row) -> None:
        run = await self._database.read(lambda tx: transitions.look(tx, row["tenant_id"], row["run_id"]))
        if run.attempt != row["attempt"]:
            return
        end = AttemptEnd(EndKind.CRASHED, message="the worker is gone: its lease has expired")
        ended = await self._attempts.end(run, end)
        if ended is not None and not isinstance(ended, RunRecord):
            await self._orphans.of_attempt(run)
            await self._orphans.sweep()
            await self._attempts.end(run, end, final=True)

    async def parked_runs(self) -> int:
        """Queue the parked runs whose time has come, and return how many.

        Those without a worker stay, and those that wait for a breaker are left to `Parking`.
        """
        runnable = await self._advertised()

        async def body(tx: Transaction) -> list[RunRecord]:
            moved = []
            rows = await tx.fetch(_SQL["parked"], now_us=tx.now_us)
            for row in sorted(rows, key=lambda row: (row["tenant_id"], row["run_id"])):  # all lock in this order
                run = await transitions.lock(tx, row["tenant_id"], row["run_id"])
                if run.state is RunState.PARKED and (run.code != Code.RELEASE_UNAVAILABLE or run.release in runnable):
                    moved.append(await transitions.move(tx, run, RunState.QUEUED, ready_us=tx.now_us))
            return moved

        return self._tell(await self._database.transact(body))

    async def unrunnable_runs(self) -> int:
        """Park the queued runs whose release no live worker has, if there is any worker at all; return how many."""
        runnable = await self._advertised()
        if not runnable:
            return 0

        async def waiting(tx: Transaction) -> list[Row]:
            groups = await tx.fetch(_SQL["waiting_for_release"])
            return [group for group in groups if group["release"] not in runnable]

        parked = 0
        for group in await self._database.read(waiting):

            async def body(tx: Transaction, group: Row = group) -> list[RunRecord]:
                rows = await tx.fetch(_SQL["queued_of_release"], **dict(group))
                return [run for row in rows if (run := await self._park(tx, row))]

            parked += self._tell(await self._database.transact(body))
        return parked

    async def _park(self, tx: Transaction, row: Row) -> RunRecord | None:
        run = await transitions.lock(tx, row["tenant_id"], row["run_id"])
        if run.state is not RunState.QUEUED:
            return None
        message = f"no live worker has {run.release} of {run.agent}"
        return await transitions.move(
            tx, run, RunState.PARKED, code=Code.RELEASE_UNAVAILABLE.value, message=message, ready_us=tx.now_us
        )

    async def _advertised(self) -> frozenset[str]:
        async def body(tx: Transaction) -> frozenset[str]:
            rows = await tx.fetch(_SQL["advertised"], now_us=tx.now_us)
            return frozenset(release for row in rows for release in json.loads(row["releases"]))

        return await self._database.read(body)

    def _tell(self, runs: list[RunRecord]) -> int:
        for run in runs:
            self._signals.tell(run)
        return len(runs)


async def _forget(tx: Transaction) -> None:
    await tx.execute(_RUNS["forget_idempotency_keys"], now_us=tx.now_us)
    await tx.execute(_KEYS["forget_narrowed"], now_us=tx.now_us)
    await tx.execute(_SQL["forget_executors"], before_us=tx.now_us - FORGET_US)
