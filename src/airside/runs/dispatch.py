"""Dispatch: which queued runs may go to a worker now. Derived from the runs table each time, so nothing can be lost.

Admission is per tenant and per agent: an agent that has all the runs it may have lets the others pass. What is admitted
here is checked again, exactly, by the transaction that starts the attempt.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from heapq import merge
from json import dumps

import structlog

from airside.config.settings import Settings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError
from airside.core.ports import Database, Row, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs.engine.port import Engine, Ticket
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "runs.sql")
_log = structlog.get_logger(__name__)

RESUBMIT_S = 5.0
IDLE_S = 1.0
FRONT_MAX = 100  # runs of an agent that are offered to the workers at a time: more than can start until the next look
TIMER_SLACK_S = 0.002


def admit(
    fronts: Mapping[str, Sequence[Row]], running: Mapping[str, int], agent_max: Mapping[str, int], tenant_max: int
) -> list[Row]:
    """Return which queued runs of one tenant may start, in their order. Pure.

    `fronts` are the agents' queues, each in order; a full agent is passed over, and a full tenant ends it.
    """
    free = tenant_max - sum(running.values())
    room = {agent: agent_max[agent] - running.get(agent, 0) for agent in fronts}
    queues = [rows[: max(0, room[agent])] for agent, rows in fronts.items()]
    in_order = merge(*queues, key=lambda row: (row["priority"], row["ready_us"], row["run_id"]))
    return list(in_order)[: max(0, free)]


class Dispatcher:
    """Gives admitted runs to the engine, whenever something happens that may let one start."""

    def __init__(self, database: Database, settings: Settings, clock: Clock, engine: Engine, signals: Signals) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._engine = engine
        self._agent_max = {name: agent.runs_max for name, agent in settings.agents.items()}
        self._submitted: dict[tuple[str, str], float] = {}
        self._dropped: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        signals.listen(self._heard)

    def returned(self, ticket: Ticket, *, started: bool) -> None:
        """Note that the engine is done with a ticket: if its run is still queued, it may be submitted again.

        A ticket that could not be started is not looked at again at once: nothing has changed since.
        """
        self._submitted.pop(ticket.key, None)
        if started:
            self._news.set()

    async def run(self) -> None:
        """Dispatch until cancelled."""
        while True:
            try:
                await self.dispatch()
            except AirsideError as error:
                _log.warning("dispatching failed; trying again", code=error.code.value)
                self._news.clear()
            except Exception:  # noqa: BLE001 - a defect met once must not leave every later run in the queue
                _log.exception("dispatching failed; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()

    async def dispatch(self) -> int:
        """Submit what may start now and is not on its way already; return how many runs that was."""
        self._news.clear()
        while self._dropped:
            await self._engine.cancel(*self._dropped.pop())
        tickets = await self._database.read(self._admitted)
        now_s = self._clock.monotonic_s()
        self._submitted = {key: at for key, at in self._submitted.items() if now_s - at < RESUBMIT_S}
        fresh = [ticket for ticket in tickets if ticket.key not in self._submitted]
        self._submitted |= dict.fromkeys([ticket.key for ticket in fresh], now_s)
        try:
            await self._engine.submit(*fresh)
        except AirsideError:
            for ticket in fresh:
                self._submitted.pop(ticket.key, None)
            raise
        return len(fresh)

    async def _admitted(self, tx: Transaction) -> list[Ticket]:
        tickets: list[Ticket] = []
        agents = dumps(sorted(self._agent_max))
        for tenant in await tx.fetch(_SQL["tenants"]):
            tenant_id = tenant["tenant_id"]
            queued = await tx.fetch(_SQL["queued_agents"], tenant_id=tenant_id, agents=agents, now_us=tx.now_us)
            if not queued:
                continue
            rows = await tx.fetch(_SQL["count_running"], tenant_id=tenant_id, agents=agents)
            running = {row["agent"]: row["n"] for row in rows}
            fronts = {}
            for agent in [row["agent"] for row in queued]:
                room = min(FRONT_MAX, self._agent_max[agent] - running.get(agent, 0))
                if room > 0:
                    fronts[agent] = await tx.fetch(
                        _SQL["front"], tenant_id=tenant_id, agent=agent, now_us=tx.now_us, n=room
                    )
            admitted = admit(fronts, running, self._agent_max, self._settings.runs.tenant_runs_max)
            tickets += [Ticket(tenant_id, row["run_id"], row["release"], row["priority"]) for row in admitted]
        return tickets

    def _heard(self, run: RunRecord) -> None:
        """A run that was queued may start (perhaps only after a while), and one that has stopped makes room."""
        if run.state is RunState.RUNNING:
            return
        if run.terminal and self._submitted.pop(run.key, None) is not None:
            self._dropped.add(run.key)
        self._news.set()
        wait_s = (run.ready_us - self._clock.now_us()) / SECOND_US
        if run.state is RunState.QUEUED and wait_s > 0:
            asyncio.get_running_loop().call_later(wait_s + TIMER_SLACK_S, self._news.set)
