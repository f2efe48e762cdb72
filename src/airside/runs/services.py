"""All services around runs, put together. `plane.py` builds this once; nothing else needs to know how they connect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from airside.config.settings import Settings
from airside.core.clock import Clock
from airside.core.errors import AirsideError
from airside.core.ports import Database, Keyring, Transaction
from airside.core.release import Release
from airside.journal.backend import Backend
from airside.journal.queries import load
from airside.runs import releases
from airside.runs.allowances import Allowances
from airside.runs.approvals import RunApprovals, RunSuspensions
from airside.runs.attempts import Attempts
from airside.runs.dispatch import Dispatcher
from airside.runs.engine.local import LocalEngine
from airside.runs.engine.port import Engine, Ticket
from airside.runs.engine.procrastinate import ProcrastinateEngine
from airside.runs.external import External
from airside.runs.funding import Funding
from airside.runs.handoffs import Handoffs
from airside.runs.held import Held
from airside.runs.keys import Keys
from airside.runs.kills import Kills
from airside.runs.leases import Leases
from airside.runs.narrowing import Narrowing
from airside.runs.orphans import Orphans
from airside.runs.parking import Parking
from airside.runs.reviewing.services import Reviewing
from airside.runs.reviews import Reviews
from airside.runs.signals import Signals
from airside.runs.store import Runs
from airside.runs.sweeper import Sweeper
from airside.runs.token_report import TokenReports
from airside.runs.tokens import TokenIdentities
from airside.runs.webhooks import Webhooks
from airside.runs.worker import LauncherFor, Parts, Place, Worker

_SQL = load("airside.runs", "runs.sql")
_log = structlog.get_logger(__name__)

SWEEP_S = 1.0
WATCH_S = 0.25
LOOK_S = 0.2  # for kills set elsewhere, by which also calls are stopped that resolved their token long ago
TIDY_S = 10.0


@dataclass(frozen=True)
class RunServices:
    """The services of one process. Those of the first block are for other parts, the rest is machinery.

    `start` before the first call, `close` after the last. A process without a worker (`launcher_for` None) submits,
    decides and cancels, and leaves execution to others.
    """

    runs: Runs
    held: Held
    reviewing: Reviewing
    keys: Keys
    kills: Kills
    external: External
    webhooks: Webhooks
    identities: TokenIdentities
    handoffs: Handoffs
    narrowing: Narrowing
    suspensions: RunSuspensions
    signals: Signals
    allowances: Allowances
    funding: Funding
    token_reports: TokenReports

    settings: Settings
    database: Database
    current: dict[str, Release]
    engine: Engine
    dispatcher: Dispatcher
    leases: Leases
    sweeper: Sweeper
    worker: Worker | None
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _renewal: list["asyncio.Task[None]"] = field(default_factory=list)

    @classmethod
    def build(
        cls,
        settings: Settings,
        backend: Backend,
        keyring: Keyring,
        clock: Clock,
        *,
        kind: str,
        webhook_secret: str,
        launcher_for: LauncherFor | None = None,
        place: Callable[[], Place] | None = None,
    ) -> "RunServices":
        """Put the services together on a connected backend.

        `kind` names the process in the table of executors (`plane`, `gateway`, `api`, `worker`). `launcher_for` picks
        the launcher of an agent and `place` says where attempts find the gateways (asked at each start, because a port
        may be chosen late); both or neither are given.
        """
        database, journal, signals = backend.database, backend.journal, Signals()
        current = dict(releases.configured(settings))
        fingerprints = frozenset(release.fingerprint for release in current.values())
        executes = launcher_for is not None
        kills = Kills(database, clock, signals)
        keys = Keys(database, clock)
        allowances = Allowances(database, settings, clock)
        external = External(database, keyring, settings, clock, signals, allowances)
        runs = Runs(database, keyring, settings, current, kills, signals, allowances)
        attempts = Attempts(database, settings, fingerprints, journal.executor_id, kills, signals)
        orphans = Orphans(database, journal, signals)
        reviewing = Reviewing.build(settings, database, keyring, clock, signals)
        parking = Parking(database, keyring, settings.runs, signals)
        handoffs = Handoffs(database, keyring, settings, current, runs, signals, allowances, clock)
        engine = _engine(settings, fingerprints)
        leases = Leases(
            database, settings.runs, clock, journal.executor_id, kind, fingerprints if executes else frozenset()
        )
        worker = None
        if launcher_for is not None and place is not None:
            parts = Parts(
                database, journal, keyring, settings, clock, runs, attempts, orphans, signals, journal.executor_id
            )
            worker = Worker(parts, launcher_for, place)
            leases.held, leases.on_lost = worker.held, worker.lose
        tools = {name: tuple(agent.tools) for name, agent in settings.agents.items()}
        identities = TokenIdentities(database, clock, kills, keys, external, signals, tools, allowances)
        return cls(
            runs=runs,
            held=Held(database, keyring, signals),
            reviewing=reviewing,
            keys=keys,
            kills=kills,
            external=external,
            webhooks=Webhooks(database, settings.webhooks, clock, webhook_secret, signals),
            identities=identities,
            narrowing=Narrowing(database, identities),
            handoffs=handoffs,
            suspensions=RunSuspensions(database, signals),
            signals=signals,
            allowances=allowances,
            funding=Funding(database, settings, clock, allowances),
            token_reports=TokenReports(database, keyring),
            settings=settings,
            database=database,
            current=current,
            engine=engine,
            dispatcher=Dispatcher(database, settings, clock, engine, signals),
            leases=leases,
            sweeper=Sweeper(database, attempts, orphans, reviewing.reviews, external, parking, handoffs, signals),
            worker=worker,
        )

    @property
    def reviews(self) -> Reviews:
        """The review queue as people see it."""
        return self.reviewing.reviews

    @property
    def approvals(self) -> RunApprovals:
        """The review queue as the pipeline sees it."""
        return self.reviewing.approvals

    async def start(self) -> None:
        """Register this process, take up what the runs table says, and begin to work."""
        await self.database.transact(self._settle_in)
        await self.allowances.reconcile(self.settings.tenant)
        await releases.record(self.database, self.settings.tenant, self.current)
        await self.leases.renew()
        await self.engine.start(self._execute if self.worker else None)
        self._renewal.append(_every(self.settings.runs.lease_renew_s, self.leases.renew))
        self._tasks.append(asyncio.create_task(self.dispatcher.run()))
        self._tasks.append(asyncio.create_task(self.webhooks.run()))
        self._tasks.append(_every(LOOK_S, self.kills.refresh))
        self._tasks.append(_every(SWEEP_S, self.sweeper.sweep))
        self._tasks.append(_every(SWEEP_S, self.reviewing.sweep))
        self._tasks.append(_every(SWEEP_S, self.reviewing.tell))
        self._tasks.append(_every(TIDY_S, self.sweeper.tidy))
        self._tasks.append(_every(TIDY_S, self.reviewing.escalation.tidy))
        self._tasks.append(_every(TIDY_S, self.engine.recover))
        if self.worker:
            self._tasks.append(_every(WATCH_S, self.worker.watch))

    async def close(self) -> None:
        """Stop: what runs here is ended and goes back to the queue, and this process's lease is given up."""
        await _cancel(self._tasks)
        self.reviewing.notifier.close()
        if self.worker:
            await self.worker.close()
        await self.engine.close()
        await self.webhooks.close()
        await _cancel(self._renewal)
        await self.leases.give_up()

    async def _execute(self, ticket: Ticket) -> None:
        assert self.worker is not None, "a process without a worker was asked to execute"
        started = False
        try:
            started = await self.worker.execute(ticket)
        finally:
            self.dispatcher.returned(ticket, started=started)

    async def _settle_in(self, tx: Transaction) -> None:
        """Write the tenant."""
        await tx.execute(
            _SQL["add_tenant"],
            tenant_id=self.settings.tenant,
            time_zone=self.settings.time_zone,
            created_us=tx.now_us,
        )


def _engine(settings: Settings, fingerprints: frozenset[str]) -> Engine:
    if settings.database.url.startswith(("postgresql://", "postgres://")):
        return ProcrastinateEngine(settings.database.url, settings.runs.slots, fingerprints)
    return LocalEngine(settings.runs.slots)


def _every(seconds: float, what: Callable[[], Awaitable[object]]) -> "asyncio.Task[None]":
    """Do something again and again; whatever fails is tried again, because nobody else would do it."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await what()
            except AirsideError as error:
                _log.warning("periodic work failed; trying again", code=error.code.value, message=error.message)
            except Exception:  # noqa: BLE001 - a defect in one pass must not end all later ones
                _log.exception("periodic work failed; trying again")

    return asyncio.create_task(repeat())


async def _cancel(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
