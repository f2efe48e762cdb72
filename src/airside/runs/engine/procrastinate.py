"""The engine of many machines: procrastinate on Postgres (SKIP LOCKED, LISTEN/NOTIFY, heartbeats of workers).

Each run waits at most once (`queueing_lock`), in the queue named after its release, so that only workers that have the
release fetch it. A job that its dead worker held is deleted: the run itself is re-queued by the sweeper.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import procrastinate
import psycopg
import psycopg_pool
import structlog
from procrastinate import exceptions
from procrastinate.schema import SchemaManager

from airside.core.errors import AirsideError, Code
from airside.runs.engine.port import Execute, Ticket

_log = structlog.get_logger(__name__)

TASK = "airside.run"
STALLED_S = 30.0
HEARTBEAT_S = 5.0
POLL_S = 2.0
RESTART_S = 0.5
SHUTDOWN_S = 10.0  # by then every attempt has been stopped
SCHEMA_LOCK = 4_051_966_020  # any number that no other user of the database takes


async def _autocommit(connection: psycopg.AsyncConnection) -> None:
    """Let each statement stand alone: BEGIN and COMMIT would be round trips. As a keyword it clashes in LISTEN."""
    await connection.set_autocommit(True)


class ProcrastinateEngine:
    """Executes tickets in this process, at most `slots` at the same time, and submits them to all processes."""

    def __init__(self, url: str, slots: int, releases: frozenset[str]) -> None:
        self._slots = slots
        self._queues = sorted(releases)
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=url,
                min_size=1,
                max_size=4,
                configure=_autocommit,
            )
        )
        self._execute: Execute | None = None
        self._worker: asyncio.Task[None] | None = None
        self._app.task(name=TASK)(self._perform)

    async def start(self, execute: Execute | None) -> None:
        """Open connections, put procrastinate's tables in place if they are missing, and begin to execute."""
        await self._app.open_async()
        await self._apply_schema()
        self._execute = execute
        if execute and self._queues:
            self._worker = asyncio.create_task(self._work())

    async def submit(self, *tickets: Ticket) -> None:
        """Enqueue tickets for whichever worker is free first: all in one statement, unless some wait already."""
        if not tickets:
            return
        with _reaching():
            try:
                await self._app.job_manager.batch_defer_jobs_async([self._job(ticket) for ticket in tickets])
            except exceptions.AlreadyEnqueued:
                waiting = await self._waiting(tickets)
                for ticket in tickets:
                    if _lock_name(ticket.tenant_id, ticket.run_id) not in waiting:
                        await self.submit(ticket)

    async def _waiting(self, tickets: Sequence[Ticket]) -> set[str]:
        """Return the locks of those tickets that wait already."""
        names = [_lock_name(ticket.tenant_id, ticket.run_id) for ticket in tickets]
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%s)",
                (names,),
            )
            return {row[0] for row in await found.fetchall()}

    @property
    def _pool(self) -> Any:
        return self._app.connector.pool  # type: ignore[attr-defined]  # the connector above is psycopg's

    def _job(self, ticket: Ticket) -> procrastinate.jobs.Job:
        return self._app.configure_task(
            TASK,
            queue=ticket.release,
            priority=-ticket.priority,
            queueing_lock=_lock_name(ticket.tenant_id, ticket.run_id),
            task_kwargs={
                "tenant_id": ticket.tenant_id,
                "run_id": ticket.run_id,
                "release": ticket.release,
                "priority": ticket.priority,
            },
        ).job

    async def cancel(self, tenant_id: str, run_id: str) -> None:
        """Drop a ticket that no worker has fetched yet."""
        with _reaching():
            jobs = await self._app.job_manager.list_jobs_async(
                queueing_lock=_lock_name(tenant_id, run_id), status="todo"
            )
            for job in jobs:
                if job.id is not None:
                    await self._app.job_manager.cancel_job_by_id_async(job.id, delete_job=True)

    async def recover(self) -> int:
        """Delete the jobs of dead workers; their runs come back through the sweeper."""
        manager = self._app.job_manager
        with _reaching():
            stalled = list(await manager.get_stalled_jobs(task_name=TASK, seconds_since_heartbeat=STALLED_S))
            for job in stalled:
                await manager.finish_job(job, procrastinate.jobs.Status.FAILED, delete_job=True)
        return len(stalled)

    async def close(self) -> None:
        """Stop fetching, wait for what executes, and close the connections."""
        if self._worker:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        await self._app.close_async()

    async def _perform(self, tenant_id: str, run_id: str, release: str, priority: int) -> None:
        if self._execute:
            await self._execute(Ticket(tenant_id, run_id, release, priority))

    async def _work(self) -> None:
        """Fetch and execute; start again when the database went away and took the worker with it."""
        while True:
            try:
                await self._app.run_worker_async(
                    queues=self._queues,
                    concurrency=self._slots,
                    install_signal_handlers=False,
                    listen_notify=True,
                    delete_jobs="always",
                    fetch_job_polling_interval=POLL_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_S,
                    shutdown_graceful_timeout=SHUTDOWN_S,
                )
            except Exception as error:  # noqa: BLE001 - whatever ended the worker, runs wait for a new one
                _log.warning("the engine lost its database; trying again", error=type(error).__name__)
            await asyncio.sleep(RESTART_S)

    async def _apply_schema(self) -> None:
        """Create procrastinate's tables once, whichever of the processes comes first."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
            if found[0] is None:
                await connection.execute(SchemaManager.get_schema())


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """Turn the drivers' failures into the one that callers know to wait out."""
    try:
        yield
    except (exceptions.ProcrastinateException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
        raise AirsideError(Code.JOURNAL_UNAVAILABLE, f"the queue cannot be reached: {type(error).__name__}") from error


def _lock_name(tenant_id: str, run_id: str) -> str:
    return f"{tenant_id}/{run_id}"
