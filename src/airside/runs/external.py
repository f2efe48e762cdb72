"""Runs of outside programs: governed by the gateways, but started and ended by somebody else.

Two ways in. A bare key of role `agent` opens one run per `X-Airside-Run` header value, else one per request; such a run
ends `succeeded` once it has been idle for IDLE_S. `airside run -- CMD` opens a run with a token of its own and closes
it when the program exits. Neither can be ended or run again by airside, so neither waits for approvals or replays.
"""

import hashlib
import json

from msgspec import structs

from airside.config.settings import Settings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id, new_secret
from airside.core.ports import Database, Keyring, Transaction
from airside.core.run import Identity, Principal, RunState
from airside.journal.queries import load
from airside.runs import budgets, submission, transitions
from airside.runs.keys import digest
from airside.runs.record import RunRecord, of_row
from airside.runs.signals import Signals
from airside.runs.submission import Submission

_SQL = load("airside.runs", "keys.sql")
_RUNS = load("airside.runs", "runs.sql")

FOREVER_US = 2**62  # the lease of an attempt that no worker of ours renews
IDLE_S = 900.0
HEADER_CHARACTERS_MAX = 200
CACHE_ENTRIES_MAX = 10_000
CACHE_S = 0.25


class External:
    """Opens, finds and closes the runs of outside programs."""

    def __init__(
        self, database: Database, keyring: Keyring, settings: Settings, clock: Clock, executor_id: str, signals: Signals
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._clock = clock
        self._executor_id = executor_id
        self._signals = signals
        self._cache: dict[tuple[str, str], tuple[float, Identity]] = {}
        signals.listen(self._forget)

    async def identity(self, principal: Principal, run_header: str) -> Identity:
        """Return the identity of a request with a bare key; raises `cancelled` or `killed` if its run was ended."""
        if len(run_header) > HEADER_CHARACTERS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"X-Airside-Run is over {HEADER_CHARACTERS_MAX} characters")
        run_id = _run_id(principal, run_header) if run_header else new_id("run")
        known = self._cache.get((principal.tenant_id, run_id))
        if known and self._clock.monotonic_s() - known[0] <= CACHE_S:
            return known[1]
        run = await self._find(principal.tenant_id, run_id) if run_header else None
        if run is None:
            task = Submission(tenant_id=principal.tenant_id, agent=principal.name, input=b"null")
            run = await self._open(task, run_id, token_hash=digest(f"{principal.tenant_id}/{run_id}"))
        if run.state is not RunState.RUNNING:
            code = Code.KILLED if run.code == Code.KILLED else Code.CANCELLED
            raise AirsideError(code, f"the run {run_id} has ended ({run.state}); use another X-Airside-Run")
        identity = identity_of(run, self._tools(run.agent))
        if run_header:
            if len(self._cache) >= CACHE_ENTRIES_MAX:
                self._cache.clear()
            self._cache[run.key] = (self._clock.monotonic_s(), identity)
        return identity

    async def open(self, task: Submission) -> tuple[RunRecord, str]:
        """Open a run for a program that somebody starts now, and return it with its run token."""
        token = new_secret("rt")
        return await self._open(task, new_id("run"), token_hash=digest(token)), token

    async def close(self, tenant_id: str, run_id: str, *, ok: bool, message: str = "") -> RunRecord:
        """End a run that `open` made. Closing a run that has ended changes nothing."""
        state = RunState.SUCCEEDED if ok else RunState.FAILED

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.supervised:
                raise AirsideError(Code.CONFLICT, "airside itself executes this run; cancel it instead")
            if run.terminal:
                return run
            code = "" if ok else Code.AGENT_FAILED.value
            running_us = tx.now_us - (run.started_us or tx.now_us)
            return await transitions.move(tx, run, state, code=code, message=message, running_us=running_us)

        run = await self._database.transact(body)
        self._signals.tell(run)
        return run

    async def close_idle(self) -> int:
        """End the runs of bare keys that have been idle for IDLE_S, and return how many."""

        async def body(tx: Transaction) -> list[tuple[str, str]]:
            since_us = tx.now_us - int(IDLE_S * SECOND_US)
            rows = await tx.fetch(_SQL["idle"], forever_us=FOREVER_US, worker_id="key", since_us=since_us)
            return [(row["tenant_id"], row["run_id"]) for row in rows]

        idle = await self._database.read(body)
        for tenant_id, run_id in idle:
            await self.close(tenant_id, run_id, ok=True)
        return len(idle)

    async def _find(self, tenant_id: str, run_id: str) -> RunRecord | None:
        async def body(tx: Transaction) -> RunRecord | None:
            row = await tx.one(_RUNS["get"], tenant_id=tenant_id, run_id=run_id)
            return of_row(row) if row else None

        return await self._database.look_up(body)

    async def _open(self, task: Submission, run_id: str, token_hash: bytes) -> RunRecord:
        bare = token_hash == digest(f"{task.tenant_id}/{run_id}")
        key = await self._keyring.subject(task.tenant_id, task.subject(run_id))
        sealed = key.seal(task.input)

        async def body(tx: Transaction) -> RunRecord:
            known = await tx.one(_RUNS["get"], tenant_id=task.tenant_id, run_id=run_id)
            if known:  # two first requests under one header met here
                return of_row(known)
            queued = submission.fresh(task, self._settings, run_id=run_id, release="external", now_us=tx.now_us)
            run = structs.replace(
                queued,
                state=RunState.RUNNING,
                supervised=0,
                attempt=1,
                input=sealed.content_id,
                started_us=tx.now_us,
            )
            nodes = budgets.path(self._settings, run.tenant_id, run_id, task.labels, tx.now_us, task.agent)
            await submission.write(tx, run, sealed, nodes)
            await tx.execute(
                _SQL["add_attempt"],
                tenant_id=run.tenant_id,
                run_id=run_id,
                attempt=1,
                worker_id="key" if bare else "program",
                token_hash=token_hash,
                lease_until_us=FOREVER_US,
                now_us=tx.now_us,
            )
            return run

        return await self._database.transact(body)

    def _tools(self, agent: str) -> tuple[str, ...]:
        configured = self._settings.agents.get(agent)
        return tuple(configured.tools) if configured else ()

    def _forget(self, run: RunRecord) -> None:
        self._cache.pop(run.key, None)


def identity_of(run: RunRecord, tools: tuple[str, ...]) -> Identity:
    """Return the identity of an outside program's run. Its running time is not airside's to limit."""
    return Identity(
        tenant_id=run.tenant_id,
        run_id=run.run_id,
        attempt=run.attempt,
        agent=run.agent,
        release=run.release,
        subject=run.subject,
        budget_path=tuple(json.loads(run.budget_path)),
        supervised=False,
        deadline_us=FOREVER_US,
        tools=tools,
    )


def _run_id(principal: Principal, run_header: str) -> str:
    """Name a key's run after the header, so that all processes find the same one and no key another's."""
    text = "\0".join((principal.tenant_id, principal.key_id, run_header))
    return "run_" + hashlib.sha256(text.encode()).hexdigest()[:26]
