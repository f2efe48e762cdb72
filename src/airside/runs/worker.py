"""The worker: executes attempts, each from its start to its end, and watches over them meanwhile.

It ends an attempt when the run is to wait, is cancelled or killed, or has used its time; and when it hears that the
attempt's lease is lost, it stops the process and writes nothing more, because somebody else may have taken over.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Set
from typing import NamedTuple

import structlog

from airside.config.settings import AgentSettings, Settings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Journal, Keyring, Sealed, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs import partial
from airside.runs.attempts import Attempts, Started, Unsettled
from airside.runs.engine.port import Ticket
from airside.runs.isolation.port import AttemptEnd, AttemptProcess, AttemptSpec, EndKind, Launcher
from airside.runs.leases import AttemptKey
from airside.runs.orphans import Orphans
from airside.runs.record import RunRecord, of_row
from airside.runs.signals import Signals
from airside.runs.store import Runs
from airside.runs.verdicts import ENOUGH, NO_ANSWER

_SQL = load("airside.runs", "attempts.sql")
_log = structlog.get_logger(__name__)

SETTLE_S = 3.0  # how long calls that others execute get to end before their outcome counts as unknown
SETTLE_POLL_S = 0.02
STORE_RETRY_S = 0.5

LauncherFor = Callable[[AgentSettings], Launcher]


class Place(NamedTuple):
    """Where attempts find the gateways: their base address, the Unix socket, and what they must not see."""

    gateway_url: str
    gateway_socket: str
    hidden_paths: tuple[str, ...]


class Parts(NamedTuple):
    """What a worker works with."""

    database: Database
    journal: Journal
    keyring: Keyring
    settings: Settings
    clock: Clock
    runs: Runs
    attempts: Attempts
    orphans: Orphans
    signals: Signals
    executor_id: str


class Live:
    """An attempt under way in this process."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self.stop = asyncio.Event()
        self.suspend: RunState | None = None
        self.lost = False

    @property
    def key(self) -> AttemptKey:
        """What names the attempt among leases."""
        run = self.started.run
        return run.tenant_id, run.run_id, run.attempt


class Worker:
    """Executes attempts in this process."""

    def __init__(self, parts: Parts, launcher_for: LauncherFor, place: Callable[[], Place]) -> None:
        self._parts = parts
        self._launcher_for = launcher_for
        self._place = place
        self._live: dict[tuple[str, str], Live] = {}
        self._closing = asyncio.Event()
        parts.signals.listen(self._heard)

    async def execute(self, ticket: Ticket) -> bool:
        """Execute the next attempt of a run until it has ended and the run has moved on; False if it may not start."""
        if self._closing.is_set():
            return False
        started = await self._parts.attempts.start(ticket.tenant_id, ticket.run_id)
        if started is None:
            return False
        live = self._live[started.run.key] = Live(started)
        if self._closing.is_set():
            live.stop.set()
        try:
            end = await self._attempt(live)
            if not live.lost:
                await self._finish(live, end)
            return True
        finally:
            if self._live.get(started.run.key) is live:
                del self._live[started.run.key]

    def held(self) -> Set[AttemptKey]:
        """Return the attempts that this process executes."""
        return frozenset(live.key for live in self._live.values())

    def lose(self, attempts: Set[AttemptKey]) -> None:
        """Stop attempts whose lease this process no longer holds, and write nothing more in their name."""
        for live in self._live.values():
            if live.key in attempts:
                live.lost = True
                live.stop.set()

    async def watch(self) -> None:
        """Notice the attempts that other processes have asked to end. In this process they are signalled."""

        async def body(tx: Transaction) -> list[RunRecord]:
            return [of_row(row) for row in await tx.fetch(_SQL["stopping"], worker_id=self._parts.executor_id)]

        if self._live:
            for run in await self._parts.database.look_up(body):
                self._heard(run)

    async def close(self) -> None:
        """Take nothing new, and stop what runs; its runs go back to the queue."""
        self._closing.set()
        for live in self._live.values():
            live.stop.set()

    def _heard(self, run: RunRecord) -> None:
        live = self._live.get(run.key)
        if live is None:
            return
        if run.attempt != live.started.attempt or run.state is not RunState.RUNNING:
            live.lost = live.lost or run.attempt > live.started.attempt or run.state is not RunState.RUNNING
            live.stop.set()
        elif run.suspend:
            live.suspend = run.suspend
            live.stop.set()

    async def _attempt(self, live: Live) -> AttemptEnd:
        """Run an attempt's process until it ends by itself or must end; return how it ended."""
        run = live.started.run
        agent = self._parts.settings.agents[run.agent]
        try:
            process = await self._launcher_for(agent).start(await self._spec(live.started, agent))
        except AirsideError as error:
            if error.code is Code.RELEASE_UNAVAILABLE:
                await self._parts.attempts.stop(run, RunState.PARKED, error.code, error.message)
            return AttemptEnd(EndKind.RAISED, message=error.message, code=error.code.value)
        ended = asyncio.create_task(process.wait())
        try:
            await self._until_over(live, process, ended)
            return await ended
        finally:
            if not ended.done():
                await process.stop()
                ended.cancel()

    async def _until_over(self, live: Live, process: AttemptProcess, ended: "asyncio.Task[AttemptEnd]") -> None:
        run = live.started.run
        left_s = max(0.0, (run.wall_us_max - run.running_us) / SECOND_US)
        stop = asyncio.create_task(live.stop.wait())
        try:
            await asyncio.wait({ended, stop}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if ended.done():
            return
        if not live.stop.is_set():
            wall_s = run.wall_us_max / SECOND_US
            message = f"the run has used its {wall_s:g} s of running time (budgets.run.wall_s)"
            await self._parts.attempts.stop(run, RunState.PARTIAL, Code.BUDGET_EXHAUSTED, message)
        elif live.suspend and live.suspend is not RunState.CANCELLED and not live.lost:
            await self._grace(live, ended)
        await process.stop()

    async def _grace(self, live: Live, ended: "asyncio.Task[AttemptEnd]") -> None:
        """Give the attempt's calls that are under way a moment to end, so that a tool is not cut off half-way."""
        identity = live.started.identity(())
        with contextlib.suppress(TimeoutError, AirsideError):
            async with asyncio.timeout(self._parts.settings.runs.suspend_grace_s):
                while not ended.done() and await self._parts.journal.in_flight(identity):
                    await self._parts.clock.sleep(SETTLE_POLL_S)

    async def _finish(self, live: Live, end: AttemptEnd) -> None:
        """End the attempt and move the run on, once the calls that matter to it have been settled."""
        run = live.started.run
        while True:
            try:
                if end.kind is EndKind.RETURNED and (stopped := await partial.stopped(self._parts.database, run)):
                    end = AttemptEnd(EndKind.RAISED, end.result, stopped.message, stopped.code)
                result = await self._result(live, end)
                ended = await self._parts.attempts.end(run, end, result)
                if isinstance(ended, Unsettled):
                    await self._settle(run, ended)
                    await self._parts.attempts.end(run, end, result, final=True)
                return
            except AirsideError as error:
                if error.code is not Code.JOURNAL_UNAVAILABLE or live.lost or self._closing.is_set():
                    raise
                _log.warning("the end of an attempt cannot be written yet", run=run.run_id, error=error.message)
                await self._parts.clock.sleep(STORE_RETRY_S)

    async def _settle(self, run: RunRecord, unsettled: Unsettled) -> None:
        if unsettled.own:
            await self._parts.orphans.of_attempt(run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while unsettled.others and await self._parts.orphans.open_effects(run):
                    await self._parts.clock.sleep(SETTLE_POLL_S)

    async def _result(self, live: Live, end: AttemptEnd) -> Sealed | None:
        run, parts = live.started.run, self._parts
        if end.kind is EndKind.RETURNED:
            body = end.result
        elif end.code in ENOUGH | NO_ANSWER:
            body = await partial.compose(parts.database, parts.keyring, run, end.message, returned=end.result)
        elif end.kind is EndKind.STOPPED and not self._closing.is_set():
            now = await parts.runs.get(run.tenant_id, run.run_id)
            if now.suspend not in {RunState.PARTIAL, RunState.ESCALATED}:
                return None
            body = await partial.compose(parts.database, parts.keyring, run, now.message)
        else:
            return None
        return (await parts.keyring.subject(run.tenant_id, run.subject)).seal(body)

    async def _spec(self, started: Started, agent: AgentSettings) -> AttemptSpec:
        run, place, settings = started.run, self._place(), self._parts.settings.runs
        return AttemptSpec(
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            attempt=run.attempt,
            agent_name=run.agent,
            agent=agent,
            input=await self._parts.runs.task(run),
            token=started.token,
            gateway_url=place.gateway_url,
            gateway_socket=place.gateway_socket,
            seed=int.from_bytes(hashlib.sha256(run.run_id.encode()).digest()[:8]),
            start_us=run.started_us or started.at_us,
            clock=settings.replay_clock,
            memory_bytes_max=settings.memory_bytes_max,
            processes_max=settings.processes_max,
            open_files_max=settings.open_files_max,
            result_bytes_max=settings.result_bytes_max,
            hidden_paths=place.hidden_paths,
            release=run.release,
        )
