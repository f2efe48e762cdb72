"""Runs, as the management API and the CLI use them: submit, look, follow, cancel, move to another release."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

import msgspec
from msgspec import Struct

from airside.config.settings import Settings
from airside.core import canonical
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Body, Database, Keyring, SubjectKey, Transaction
from airside.core.release import Release
from airside.core.run import Identity, RunState
from airside.guards.placeholders.handing_on import restored
from airside.guards.placeholders.vault import Vault
from airside.journal.planned import commit_plan
from airside.journal.queries import load
from airside.runs import budgets, off_peak, releases, submission, transitions, vouching
from airside.runs.allowances import Allowances
from airside.runs.budgets import Node
from airside.runs.cursor import END, PAGE_MAX, cursor_of, place_of
from airside.runs.kills import Kills
from airside.runs.record import RunRecord, of_row
from airside.runs.signals import Signals
from airside.runs.submission import Submission

_SQL = load("airside.runs", "runs.sql")

QUEUE_COUNT_AGE_US = 250_000
DELAY_US_MAX = 31 * 86_400 * SECOND_US
FOLLOW_POLL_S = 0.5

WAITING = frozenset({RunState.QUEUED, RunState.WAITING_APPROVAL, RunState.PARKED, RunState.HELD})
"""States in which no process works on the run, so that it can be cancelled on the spot."""


class Page(Struct, frozen=True):
    """Some runs, newest first, and the cursor of the next page; an empty cursor is the end."""

    runs: Sequence[RunRecord]
    cursor: str


class Event(Struct, frozen=True):
    """One transition of a run. `version` numbers them from 1 and serves as the SSE id."""

    version: int
    at_us: int
    body: Mapping[str, object]


class Runs:
    """The runs of all tenants; every method names the tenant, and nothing of another is ever found."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        current: Mapping[str, Release],
        kills: Kills,
        signals: Signals,
        allowances: Allowances,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._current = current
        self._kills = kills
        self._signals = signals
        self._allowances = allowances
        self._vault = Vault(database, keyring, values_max=settings.guards.placeholders_max)
        self._queued: dict[str, tuple[int, int]] = {}

    async def submit(self, task: Submission) -> RunRecord:
        """Take a task on and return its run; once this returns, the run will not be lost.

        The same Idempotency-Key and body return the same run. Raises `unknown_agent`, `invalid_request`,
        `limit_exceeded`, `idempotency_conflict`, `killed`, and `rate_limited` when the tenant's queue is full.
        """
        submission.check(task, self._settings)
        run_id = new_id("run")
        subject = task.subject(run_id)
        key, add_key = await self._key(task.tenant_id, subject, is_new=subject == run_id)
        sealed = key.seal(task.input)
        plan = vouching.plan_of(task.plan) if task.plan else None
        release, wall_us_max = self._current[task.agent].fingerprint, budgets.wall_us(self._settings, task.agent)
        await self._allowances.refresh()
        nodes: list[Node] = []

        async def body(tx: Transaction) -> RunRecord:
            if task.idempotency_key and (known := await submission.take_key(tx, task, run_id)):
                return known
            await self._kills.refuse_in(tx, task.tenant_id, task.agent)
            await self._room(tx, task.tenant_id)
            nodes[:] = self._allowances.nodes(task.tenant_id, task.labels, run_id, task.agent, tx.now_us)
            run = submission.fresh(
                task,
                sealed,
                nodes,
                wall_us_max=wall_us_max,
                run_id=run_id,
                release=release,
                now_us=tx.now_us,
                ready_us=self._ready_us(task, tx.now_us),
            )
            if add_key:
                await add_key(tx)
            await self._allowances.make(tx, task.tenant_id, nodes)
            await submission.write(tx, run, sealed, task.by)
            if plan is not None:
                content = key.seal(vouching.plan_bytes(plan))
                await commit_plan(tx, run_id, content, said_by="submission", steps=len(plan.steps))
            return run

        run = await self._database.transact(body)
        if run.run_id == run_id:
            self._keyring.keep(task.tenant_id, subject, key)
            self._allowances.made(task.tenant_id, nodes)
            self._signals.tell(run)
        return run

    def _ready_us(self, task: Submission, now_us: int) -> int:
        """Return when a task may begin; raises `invalid_request` beyond DELAY_US_MAX."""
        if task.not_before_us > now_us + DELAY_US_MAX:
            raise AirsideError(Code.INVALID_REQUEST, "not_before_us must be within 31 days")
        return off_peak.ready_us(self._settings, task.window, task.not_before_us, now_us)

    async def _key(self, tenant_id: str, subject: str, *, is_new: bool) -> tuple[SubjectKey, Body[None] | None]:
        """Return a subject's key, and how to write it if the subject begins to exist with its run."""
        if is_new:
            return self._keyring.fresh(tenant_id, subject)
        return await self._keyring.subject(tenant_id, subject), None

    async def _room(self, tx: Transaction, tenant_id: str) -> None:
        """Raise `rate_limited` when the queue is full. The count is at most 250 ms old, plus what was added here."""
        queue_max = self._settings.runs.queue_max
        counted, at_us = self._queued.get(tenant_id, (queue_max, 0))
        if counted >= queue_max or not at_us <= tx.now_us < at_us + QUEUE_COUNT_AGE_US:
            row = await tx.one(_SQL["count_queued"], tenant_id=tenant_id, queue_max=queue_max)
            counted, at_us = int(row["n"]) if row else 0, tx.now_us
        if counted >= queue_max:
            raise AirsideError(
                Code.RATE_LIMITED, f"{queue_max} runs are queued already (runs.queue_max)", retry_after_s=1.0
            )
        self._queued[tenant_id] = (counted + 1, at_us)

    async def get(self, tenant_id: str, run_id: str) -> RunRecord:
        """Return a run; raises `not_found`."""
        return await self._database.look_up(lambda tx: transitions.look(tx, tenant_id, run_id))

    async def page(
        self, tenant_id: str, *, cursor: str = "", limit: int = 50, state: str = "", agent: str = ""
    ) -> Page:
        """Return runs, newest first, from after `cursor`; at most 200. Raises `invalid_request` for a bad cursor."""
        before_us, before_id = place_of(cursor, END)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> list[RunRecord]:
            rows = await tx.fetch(
                _SQL["page"],
                tenant_id=tenant_id,
                before_us=before_us,
                before_id=before_id,
                state=state,
                agent=agent,
                n=size + 1,
            )
            return [of_row(row) for row in rows]

        found = await self._database.read(body)
        more = len(found) > size
        return Page(found[:size], cursor_of(found[size - 1].created_us, found[size - 1].run_id) if more else "")

    async def events(self, tenant_id: str, run_id: str, after_version: int = 0, limit: int = PAGE_MAX) -> list[Event]:
        """Return the run's transitions after a version, in order; raises `not_found`."""
        await self.get(tenant_id, run_id)

        async def body(tx: Transaction) -> list[Event]:
            found: list[Event] = []
            after, rows = 0, None
            while rows is None or (rows and len(found) < limit):
                rows = await tx.fetch(_SQL["events"], tenant_id=tenant_id, run_id=run_id, after=after, n=PAGE_MAX)
                for row in rows:
                    after, content = row["entry_id"], msgspec.json.decode(row["body"])
                    if content["version"] > after_version:
                        found.append(Event(content["version"], row["at_us"], content))
            return found[:limit]

        return await self._database.read(body)

    async def follow(self, tenant_id: str, run_id: str, after_version: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the run's transitions as they happen, until it has ended or this process is closing. For SSE."""
        run = await self.get(tenant_id, run_id)
        while True:
            for event in await self.events(tenant_id, run_id, after_version):
                after_version = event.version
                yield event
            run = await self.get(tenant_id, run_id)
            if run.version > after_version:
                continue
            if run.terminal or self._signals.closing:
                return
            await self._signals.wait(tenant_id, run_id, FOLLOW_POLL_S)

    async def wait(self, tenant_id: str, run_id: str, timeout_s: float) -> RunRecord:
        """Return the run once it has ended, or as it stands after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                async for _ in self.follow(tenant_id, run_id):
                    pass
        except TimeoutError:
            pass
        return await self.get(tenant_id, run_id)

    async def result(self, tenant_id: str, run_id: str) -> bytes | None:
        """Return what the run produced, as JSON bytes, or None if there is nothing (yet)."""
        run = await self.get(tenant_id, run_id)
        return None if run.result is None else await self._open(run, run.result)

    async def answer(self, tenant_id: str, run_id: str) -> bytes | None:
        """Return what the run produced as its owner is told it: with values in the place of placeholders."""
        result = await self.result(tenant_id, run_id)
        if result is None or b"<" not in result:
            return result
        run = await self.get(tenant_id, run_id)
        who = Identity(tenant_id, run_id, run.attempt, run.agent, run.release, run.subject, (), False, 0)
        value = canonical.parse(result, bytes_max=len(result))
        return canonical.encode(await restored(self._vault, who, value, in_links=False))

    async def task(self, run: RunRecord) -> bytes:
        """Return the run's input as JSON bytes."""
        return await self._open(run, run.input)

    async def _open(self, run: RunRecord, content_id: bytes) -> bytes:
        async def body(tx: Transaction) -> bytes:
            row = await tx.one(
                _SQL["content"], tenant_id=run.tenant_id, subject=run.subject, content_id=bytes(content_id)
            )
            if row is None:
                raise AirsideError(Code.NOT_FOUND, "this content was erased")
            return bytes(row["sealed"])

        blob = await self._database.look_up(body)
        key = await self._keyring.subject(run.tenant_id, run.subject)
        return key.open(bytes(content_id), blob)

    async def cancel(self, tenant_id: str, run_id: str, by: str) -> RunRecord:
        """Cancel a run: at once if nothing executes it, else as soon as its process has been ended.

        Cancelling a cancelled run changes nothing; raises `conflict` for a run that has ended otherwise.
        """

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.state is RunState.CANCELLED:
                return run
            if run.terminal:
                raise AirsideError(Code.CONFLICT, f"the run has ended already: {run.state}")
            message = "cancelled by an operator"
            if run.state in WAITING or not run.supervised:
                return await transitions.move(
                    tx, run, RunState.CANCELLED, code=Code.CANCELLED.value, message=message, by=by
                )
            return await transitions.ask_to_stop(tx, run, RunState.CANCELLED, Code.CANCELLED.value, message)

        run = await self._database.transact(body)
        self._signals.tell(run)
        return run

    async def move_to(self, tenant_id: str, run_id: str, by: str, fingerprint: str = "") -> RunRecord:
        """Bind a run that waits to another release of its agent, or to the one that new runs get, and queue it again.

        Raises `conflict` unless it is queued or parked, `release_unavailable` for a release that its agent never had.
        """

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.state not in {RunState.QUEUED, RunState.PARKED}:
                raise AirsideError(Code.CONFLICT, f"only a queued or parked run can be moved; this one is {run.state}")
            if not fingerprint and run.agent not in self._current:
                raise AirsideError(Code.UNKNOWN_AGENT, f"the agent {run.agent} is no longer configured")
            release = fingerprint or self._current[run.agent].fingerprint
            await releases.require(tx, run, release)
            return await transitions.move(tx, run, RunState.QUEUED, by=by, release=release, ready_us=tx.now_us)

        run = await self._database.transact(body)
        self._signals.tell(run)
        return run
