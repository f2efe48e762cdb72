"""Starting and ending attempts: each is one transaction under the run's lock, so that of two only one succeeds."""

import json
from collections.abc import Sequence

from msgspec import Struct, structs

from airside.config.settings import Settings
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_secret
from airside.core.ports import Database, Entry, Row, Sealed, Transaction
from airside.core.run import Identity, RunState, executor_of_attempt
from airside.journal import events
from airside.journal.queries import load
from airside.runs import handoffs, transitions, verdicts
from airside.runs.isolation.port import AttemptEnd
from airside.runs.keys import digest
from airside.runs.kills import Kills
from airside.runs.record import RunRecord
from airside.runs.signals import Signals
from airside.runs.tokens import deadline_us

_SQL = load("airside.runs", "attempts.sql")
_RUNS = load("airside.runs", "runs.sql")
_KEYS = load("airside.runs", "keys.sql")


class Started(Struct, frozen=True):
    """An attempt that has begun: the run as it stands, the attempt's token and when it began."""

    run: RunRecord
    token: str
    at_us: int

    @property
    def attempt(self) -> int:
        """The attempt's number."""
        return self.run.attempt

    def identity(self, tools: tuple[str, ...]) -> Identity:
        """Return the identity under which the attempt calls the gateways."""
        run = self.run
        return run.identity(deadline_us(self.at_us, run.wall_us_max, run.running_us), tools)


class Unsettled(Struct, frozen=True):
    """The attempt cannot be ended yet: it left calls that are open. `own` were executed by the attempt itself."""

    own: int
    others: int


class Attempts:
    """Starts attempts if the run may start now, and ends them."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        releases: frozenset[str],
        executor_id: str,
        kills: Kills,
        signals: Signals,
    ) -> None:
        self._database = database
        self._settings = settings
        self._releases = releases
        self._executor_id = executor_id
        self._kills = kills
        self._signals = signals
        self._agents = json.dumps(sorted(settings.agents))

    async def start(self, tenant_id: str, run_id: str) -> Started | None:
        """Start the next attempt and revoke the one before, or return None if the run may not start (now).

        It may not while it is anything but queued and ready, its tenant or agent has all the runs it may have, or this
        process does not have its release. A second dispatch of the same run therefore does nothing.
        """
        token = new_secret("rt")

        async def body(tx: Transaction) -> Started | RunRecord | None:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.state is not RunState.QUEUED or run.ready_us > tx.now_us or run.release not in self._releases:
                return None
            try:
                await self._kills.refuse_in(tx, tenant_id, run.agent, run_id)
            except AirsideError as killed:
                return await transitions.move(
                    tx, run, RunState.CANCELLED, code=killed.code.value, message=killed.message
                )
            # Last, because all starts of the tenant go one at a time from here to the commit.
            await tx.one(_RUNS["lock_tenant"], tenant_id=tenant_id)
            if not await self._room(tx, run):
                return None
            return await self._begin(tx, run, token)

        started = await self._database.transact(body)
        if started is not None:
            self._signals.tell(started.run if isinstance(started, Started) else started)
        return started if isinstance(started, Started) else None

    async def _room(self, tx: Transaction, run: RunRecord) -> bool:
        rows = await tx.fetch(_RUNS["count_running"], tenant_id=run.tenant_id, agents=self._agents)
        running = {row["agent"]: row["n"] for row in rows}
        agent = self._settings.agents[run.agent]
        tenant_full = sum(running.values()) >= self._settings.runs.tenant_runs_max
        return not tenant_full and running.get(run.agent, 0) < agent.runs_max

    async def _begin(self, tx: Transaction, run: RunRecord, token: str) -> Started:
        attempt = structs.replace(run, attempt=run.attempt + 1)
        begun = await transitions.move(
            tx,
            run,
            RunState.RUNNING,
            attempt=attempt.attempt,
            started_us=run.started_us or tx.now_us,
            also=[_entry(events.ATTEMPT_STARTED, attempt, worker=self._executor_id)],
        )
        await tx.execute(
            _KEYS["add_attempt"],
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            attempt=begun.attempt,
            worker_id=self._executor_id,
            token_hash=digest(token),
            lease_until_us=tx.now_us + int(self._settings.runs.lease_expire_s * SECOND_US),
            now_us=tx.now_us,
        )
        return Started(begun, token, tx.now_us)

    async def end(
        self, run: RunRecord, end: AttemptEnd, result: Sealed | None = None, *, final: bool = False
    ) -> RunRecord | Unsettled | None:
        """End an attempt and move its run on; `run` is as it was when the attempt started.

        Returns None if the attempt has been superseded or its run moved on already, and Unsettled, having changed
        nothing, if calls are open that matter to the verdict; with `final` those count as unknown.
        """

        async def body(tx: Transaction) -> RunRecord | Unsettled | None:
            now = await transitions.lock(tx, run.tenant_id, run.run_id)
            if now.attempt != run.attempt or now.state is not RunState.RUNNING:
                return None
            calls = await tx.fetch(_SQL["unfinished_calls"], tenant_id=run.tenant_id, run_id=run.run_id)
            facts = verdicts.Facts(
                open_effects=verdicts.count_open_effects(calls),
                held=sum(call["state"] == "held" and not call["idempotent"] for call in calls),
                pending=await transitions.pending_approvals(tx, now) if now.suspend else 0,
                unconsumed=await _unconsumed(tx, now),
                answered=await _answered(tx, now) if end.code in verdicts.NO_ANSWER else 0,
                handed_off=await handoffs.unfinished(tx, *now.key) if now.code == Code.HANDED_OFF else 0,
            )
            agent = self._settings.agents.get(run.agent)
            verdict = verdicts.decide(now, end, facts, agent.attempts_max if agent else 1)
            unsettled = _unsettled(calls, run, verdict)
            if unsettled and not final:
                return unsettled
            return await self._finish(tx, now, end, verdict, result)

        ended = await self._database.transact(body)
        if isinstance(ended, RunRecord):
            self._signals.tell(ended)
        return ended

    async def _finish(
        self, tx: Transaction, run: RunRecord, end: AttemptEnd, verdict: verdicts.Verdict, result: Sealed | None
    ) -> RunRecord:
        kept = result if verdict.state in {RunState.SUCCEEDED, RunState.PARTIAL, RunState.ESCALATED} else None
        if kept:
            await tx.store(kept)
        return await transitions.move(
            tx,
            run,
            verdict.state,
            code=verdict.code,
            message=verdict.message,
            crashes=run.crashes + verdict.crashed,
            ready_us=tx.now_us + verdict.ready_us,
            running_us=run.running_us + await _ran_us(tx, run),
            result=kept.content_id if kept else None,
            also=[_entry(events.ATTEMPT_ENDED, run, end=end.kind.value, code=end.code)],
        )

    async def stop(self, run: RunRecord, state: RunState, code: Code, message: str) -> RunRecord | None:
        """Ask for the end of an attempt; None if it is no longer the one that runs."""

        async def body(tx: Transaction) -> RunRecord | None:
            now = await transitions.lock(tx, run.tenant_id, run.run_id)
            if now.attempt != run.attempt or now.state is not RunState.RUNNING:
                return None
            return await transitions.ask_to_stop(tx, now, state, code.value, message)

        asked = await self._database.transact(body)
        if asked:
            self._signals.tell(asked)
        return asked


async def _unconsumed(tx: Transaction, run: RunRecord) -> int:
    if run.attempt == 1:  # everything recorded is its own
        return 0
    row = await tx.one(_SQL["unconsumed_effects"], tenant_id=run.tenant_id, run_id=run.run_id, attempt=run.attempt)
    return int(row["n"]) if row else 0


async def _answered(tx: Transaction, run: RunRecord) -> int:
    row = await tx.one(_SQL["answered_calls"], tenant_id=run.tenant_id, run_id=run.run_id)
    return int(row["n"]) if row else 0


async def _ran_us(tx: Transaction, run: RunRecord) -> int:
    """How long the attempt ran; a crashed one counts no longer than its lease."""
    row = await tx.one(_SQL["started"], tenant_id=run.tenant_id, run_id=run.run_id, attempt=run.attempt)
    return max(0, min(tx.now_us, row["lease_until_us"]) - row["started_us"]) if row else 0


def _unsettled(calls: Sequence[Row], run: RunRecord, verdict: verdicts.Verdict) -> Unsettled | None:
    """Return what must be waited for: the attempt's own calls always, others if the run ends with this attempt."""
    own = executor_of_attempt(run.run_id, run.attempt)
    open_calls = [call for call in calls if call["state"] == "open"]
    mine = sum(call["executor_id"] == own for call in open_calls)
    others = verdicts.count_open_effects([call for call in open_calls if call["executor_id"] != own])
    matters = verdict.state not in {RunState.QUEUED, RunState.WAITING_APPROVAL, RunState.PARKED}
    return Unsettled(mine, others) if mine or (matters and others) else None


def _entry(type_: str, run: RunRecord, **more: str) -> Entry:
    return events.entry(type_, {"attempt": run.attempt, **more}, tenant_id=run.tenant_id, run_id=run.run_id)
