"""Runs of outside programs: governed by the gateways, but started and ended by somebody else.

A bare key of role `agent` opens one run per `X-Airside-Run` header value, else one per request; such a run ends
`succeeded` once it has been idle for IDLE_S. airside can neither end nor repeat the program, so its calls do not wait
for approvals.
"""

import hashlib

from msgspec import structs

from airside.config.settings import Settings
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Keyring, Transaction
from airside.core.run import Identity, Principal, RunState
from airside.journal.queries import load
from airside.runs import budgets, submission, transitions
from airside.runs.allowances import Allowances
from airside.runs.keys import digest
from airside.runs.record import RunRecord, of_row
from airside.runs.signals import Signals
from airside.runs.submission import Submission

_SQL = load("airside.runs", "keys.sql")
_RUNS = load("airside.runs", "runs.sql")

FOREVER_US = 2**62  # the lease of an attempt that no worker of ours renews
KEY_HOLDER = "key"  # stands as the worker of such an attempt
IDLE_S = 900.0
HEADER_CHARACTERS_MAX = 200
CACHE_ENTRIES_MAX = 10_000
CACHE_S = 0.25


class External:
    """Opens, finds and closes the runs of outside programs."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        clock: Clock,
        signals: Signals,
        allowances: Allowances,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._clock = clock
        self._signals = signals
        self._allowances = allowances
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
            run = await self._open(
                Submission(tenant_id=principal.tenant_id, agent=principal.name, input=b"null"), run_id
            )
        if run.state is not RunState.RUNNING:
            code = Code.KILLED if run.code == Code.KILLED else Code.CANCELLED
            raise AirsideError(code, f"the run {run_id} has ended ({run.state}); use another X-Airside-Run")
        identity = run.identity(FOREVER_US, self._tools(run.agent))  # its running time is not airside's to limit
        if run_header:
            identity = await self._allowances.current(identity)
            if len(self._cache) >= CACHE_ENTRIES_MAX:
                self._cache.clear()
            self._cache[run.key] = (self._clock.monotonic_s(), identity)
        return identity

    async def close_idle(self) -> int:
        """End the runs of bare keys that have been idle for IDLE_S, and return how many."""

        async def body(tx: Transaction) -> list[tuple[str, str]]:
            since_us = tx.now_us - int(IDLE_S * SECOND_US)
            rows = await tx.fetch(_SQL["idle"], forever_us=FOREVER_US, worker_id=KEY_HOLDER, since_us=since_us)
            return [(row["tenant_id"], row["run_id"]) for row in rows]

        idle = await self._database.read(body)
        for tenant_id, run_id in idle:
            await self._close(tenant_id, run_id)
        return len(idle)

    async def _close(self, tenant_id: str, run_id: str) -> None:
        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, run_id)
            if run.terminal:
                return run
            running_us = tx.now_us - (run.started_us or tx.now_us)
            return await transitions.move(tx, run, RunState.SUCCEEDED, running_us=running_us)

        self._signals.tell(await self._database.transact(body))

    async def _find(self, tenant_id: str, run_id: str) -> RunRecord | None:
        async def body(tx: Transaction) -> RunRecord | None:
            row = await tx.one(_RUNS["get"], tenant_id=tenant_id, run_id=run_id)
            return of_row(row) if row else None

        return await self._database.look_up(body)

    async def _open(self, task: Submission, run_id: str) -> RunRecord:
        key = await self._keyring.subject(task.tenant_id, task.subject(run_id))
        sealed, wall_us_max = key.seal(task.input), budgets.wall_us(self._settings, task.agent)
        await self._allowances.refresh()
        nodes: list[budgets.Node] = []

        async def body(tx: Transaction) -> RunRecord:
            known = await tx.one(_RUNS["get"], tenant_id=task.tenant_id, run_id=run_id)
            if known:  # two first requests under one header met here
                return of_row(known)
            nodes[:] = self._allowances.nodes(task.tenant_id, task.labels, run_id, task.agent, tx.now_us)
            queued = submission.fresh(
                task, sealed, nodes, wall_us_max=wall_us_max, run_id=run_id, release="external", now_us=tx.now_us
            )
            run = structs.replace(
                queued,
                state=RunState.RUNNING,
                supervised=0,
                attempt=1,
                started_us=tx.now_us,
            )
            await self._allowances.make(tx, run.tenant_id, nodes)
            await submission.write(tx, run, sealed)
            await tx.execute(
                _SQL["add_attempt"],
                tenant_id=run.tenant_id,
                run_id=run_id,
                attempt=1,
                worker_id=KEY_HOLDER,
                token_hash=digest(f"{task.tenant_id}/{run_id}"),  # unlike any token's: the key is the credential
                lease_until_us=FOREVER_US,
                now_us=tx.now_us,
            )
            return run

        run = await self._database.transact(body)
        self._allowances.made(task.tenant_id, nodes)
        return run

    def _tools(self, agent: str) -> tuple[str, ...]:
        configured = self._settings.agents.get(agent)
        return tuple(configured.tools) if configured else ()

    def _forget(self, run: RunRecord) -> None:
        self._cache.pop(run.key, None)


def _run_id(principal: Principal, run_header: str) -> str:
    """Name a key's run after the header, so that all processes find the same one and no key another's."""
    text = "\0".join((principal.tenant_id, principal.key_id, run_header))
    return "run_" + hashlib.sha256(text.encode()).hexdigest()[:26]
