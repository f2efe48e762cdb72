"""This process's leases: the proof, by the database's clock, that it and its attempts are alive.

Renewed every `lease_renew_s`, expired after `lease_expire_s`. A process that cannot renew for that long must take
itself for dead, because others do: its attempts are stopped and nothing more is written in their name.
"""

import json
from collections.abc import Callable, Set

from airside.config.settings import RunSettings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError
from airside.core.ports import Database, Transaction
from airside.journal.queries import load

_SQL = load("airside.runs", "attempts.sql")

AttemptKey = tuple[str, str, int]
"""Tenant, run and number of an attempt."""


class Leases:
    """Keeps the rows of one executor and of its attempts alive."""

    def __init__(
        self, database: Database, settings: RunSettings, clock: Clock, executor_id: str, kind: str, releases: Set[str]
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._executor_id = executor_id
        self._kind = kind
        self._releases = json.dumps(sorted(releases))
        self._renewed_s = clock.monotonic_s()
        self.held: Callable[[], Set[AttemptKey]] = frozenset
        """Says which attempts this process executes now. Others in its name are not renewed: nobody works on them."""
        self.on_lost: Callable[[Set[AttemptKey]], None] = lambda _: None
        """Called with the attempts among those that are no longer this process's."""

    async def renew(self) -> None:
        """Renew all leases once; raises `journal_unavailable` if that failed, after giving up lost attempts.

        Only attempts that were held before the database was asked are judged by its answer: one that starts meanwhile
        may not be in it.
        """
        asked_s, held = self._clock.monotonic_s(), self.held()

        async def body(tx: Transaction) -> Set[AttemptKey]:
            return await self._renew(tx, held)

        try:
            alive = await self._database.transact(body)
        except AirsideError:
            if self._clock.monotonic_s() - self._renewed_s > self._settings.lease_expire_s:
                self.on_lost(held)
            raise
        self._renewed_s = asked_s
        self.on_lost(held - alive)

    async def _renew(self, tx: Transaction, held: Set[AttemptKey]) -> Set[AttemptKey]:
        until_us = tx.now_us + int(self._settings.lease_expire_s * SECOND_US)
        await tx.execute(
            _SQL["renew_executor"],
            executor_id=self._executor_id,
            kind=self._kind,
            releases=self._releases,
            lease_until_us=until_us,
        )
        await tx.execute(
            _SQL["renew_attempts"],
            worker_id=self._executor_id,
            runs=json.dumps(sorted(run_id for _, run_id, _ in held)),
            lease_until_us=until_us,
        )
        rows = await tx.fetch(_SQL["live_attempts"], worker_id=self._executor_id)
        return frozenset((row["tenant_id"], row["run_id"], row["attempt"]) for row in rows)

    async def give_up(self) -> None:
        """End this executor's lease: it is about to exit and holds nothing any more."""

        async def body(tx: Transaction) -> None:
            await tx.execute(_SQL["end_executor"], executor_id=self._executor_id)

        await self._database.transact(body)
