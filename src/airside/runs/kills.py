"""Kills: the stop that an operator pulls on a run, an agent, a tool, a tenant or everything (invariant 9).

A kill is a row. In this process it takes effect the moment it is set; other processes read the table before any call
whose snapshot is older than 250 ms. Runs in its scope are ended: those nobody executes at once, the others by their
worker. A tool's kill ends no run: calls of the tool are refused.
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from airside.core.call import CallKind
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Entry, Row, Transaction
from airside.core.run import Identity, RunState
from airside.journal import events
from airside.journal.queries import load
from airside.runs import transitions
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "kills.sql")

SNAPSHOT_AGE_S_MAX = 0.25
RUNS_PER_TRANSACTION = 100
NAME_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 1_000


class Scope(StrEnum):
    """What a kill stops."""

    RUN = "run"
    AGENT = "agent"
    TOOL = "tool"
    TENANT = "tenant"
    ALL = "all"


class Kill(Struct, frozen=True):
    """A kill in force. `name` is the run id, agent or tool; empty for tenant and all. `tenant_id` is empty for all."""

    tenant_id: str
    scope: Scope
    name: str
    reason: str


def matching(kills: frozenset[Kill], tenant_id: str, run_ids: Sequence[str], agent: str, tool: str) -> Kill | None:
    """Return a kill that stops this, if there is one; `run_ids` are the run and those it does a task for. Pure."""
    names = {Scope.RUN: run_ids, Scope.AGENT: [agent], Scope.TOOL: [tool], Scope.TENANT: [""], Scope.ALL: [""]}
    for kill in kills:
        in_tenant = kill.scope is Scope.ALL or kill.tenant_id == tenant_id
        if in_tenant and kill.name in names[kill.scope] and (kill.name or kill.scope in {Scope.TENANT, Scope.ALL}):
            return kill
    return None


class Kills:
    """Sets, lifts and knows the kills in force."""

    def __init__(self, database: Database, clock: Clock, signals: Signals) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._in_force: frozenset[Kill] = frozenset()
        self._read_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._changes = 0

    async def refresh(self) -> None:
        """Make sure that the snapshot is at most 250 ms old. Raises `journal_unavailable` if it cannot be read."""
        if self._clock.monotonic_s() - self._read_s <= SNAPSHOT_AGE_S_MAX:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        changes = -1
        while changes != self._changes:  # a kill set meanwhile may be missing in what was read
            changes, asked_s = self._changes, self._clock.monotonic_s()
            found = await self._database.look_up(_in_force)
        self._in_force, self._read_s = found, asked_s

    def check(self, identity: Identity, kind: CallKind, name: str) -> None:
        """Raise `killed` if the snapshot holds a kill of the run, agent, tool, tenant or everything."""
        tool = name if kind is CallKind.TOOL else ""
        _refuse(matching(self._in_force, identity.tenant_id, _runs_of(identity), identity.agent, tool))

    async def refuse_in(self, tx: Transaction, tenant_id: str, agent: str, run_id: str = "") -> None:
        """Raise `killed` if, in this transaction, a kill stops runs of the agent (or this very run)."""
        _refuse(matching(await _in_force(tx), tenant_id, [run_id], agent, ""))

    async def set(self, tenant_id: str, scope: Scope, name: str, reason: str, by: str) -> int:
        """Set a kill and return how many runs it ended or is ending; setting it again repeats the sweep.

        Raises `invalid_request` for a name where none belongs, or none where one does, and `not_found` for an unknown
        run. Names of agents and tools are taken as they are: they may be configured elsewhere, or later.
        """
        owner = _owner(tenant_id, scope, name)
        if len(reason) > REASON_CHARACTERS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the reason is over {REASON_CHARACTERS_MAX} characters")

        async def body(tx: Transaction) -> None:
            if scope is Scope.RUN and not await tx.one(_SQL["run"], tenant_id=tenant_id, run_id=name):
                raise AirsideError(Code.NOT_FOUND, f"there is no run {name}")
            row = {"tenant_id": owner, "scope": scope.value, "name": name}
            if await tx.execute(_SQL["set"], **row, reason=reason, set_by=by, set_us=tx.now_us):
                await tx.append(_entry(events.KILL_SET, tenant_id, scope, name, by))

        await self._database.transact(body)
        self._in_force |= {Kill(owner, scope, name, reason)}
        self._changes += 1
        return 0 if scope is Scope.TOOL else await self._end_runs(owner, scope, name, by)

    async def lift(self, tenant_id: str, scope: Scope, name: str, by: str) -> None:
        """Lift a kill; runs that it ended stay ended. Raises `not_found` if there is none."""
        owner = _owner(tenant_id, scope, name)

        async def body(tx: Transaction) -> None:
            if not await tx.execute(_SQL["lift"], tenant_id=owner, scope=scope.value, name=name):
                raise AirsideError(Code.NOT_FOUND, f"no kill of {scope} {name} is in force")
            await tx.append(_entry(events.KILL_LIFTED, tenant_id, scope, name, by))

        await self._database.transact(body)
        self._changes += 1
        self._read_s = float("-inf")
        await self.refresh()

    async def list(self, tenant_id: str) -> list[dict[str, object]]:
        """Return the kills that concern a tenant, oldest first."""

        async def body(tx: Transaction) -> list[dict[str, object]]:
            return [dict(row) for row in await tx.fetch(_SQL["list"], tenant_id=tenant_id)]

        return await self._database.read(body)

    async def _end_runs(self, owner: str, scope: Scope, name: str, by: str) -> int:
        ended, after = 0, ("", "")
        wanted = {
            "tenant_id": owner,
            "agent": name if scope is Scope.AGENT else "",
            "run_id": name if scope is Scope.RUN else "",
        }
        while True:

            async def body(tx: Transaction, after: tuple[str, str] = after) -> list[RunRecord]:
                rows = await tx.fetch(
                    _SQL["affected"], **wanted, after_tenant=after[0], after_run=after[1], n=RUNS_PER_TRANSACTION
                )
                return [await _end(tx, row, f"killed: {scope} {name}".rstrip(), by) for row in rows]

            runs = await self._database.transact(body)
            for run in runs:
                self._signals.tell(run)
            ended += len(runs)
            if len(runs) < RUNS_PER_TRANSACTION:
                return ended
            after = runs[-1].key


def _runs_of(identity: Identity) -> list[str]:
    """Return the run and the runs it does a task for: those whose budgets its calls are charged to."""
    above = [node.removeprefix("run:") for node in identity.budget_path if node.startswith("run:")]
    return [*above, identity.run_id]


async def _end(tx: Transaction, row: Row, message: str, by: str) -> RunRecord:
    run = await transitions.lock(tx, row["tenant_id"], row["run_id"])
    if run.terminal or (run.state is RunState.HELD and run.code == Code.KILLED):
        return run
    if run.state is RunState.RUNNING and run.supervised:
        return await transitions.ask_to_stop(tx, run, RunState.CANCELLED, Code.KILLED.value, message)
    if run.state is RunState.HELD:
        return run  # whether its effect happened is still for a person to say; the kill keeps it from going on
    return await transitions.move(tx, run, RunState.CANCELLED, code=Code.KILLED.value, message=message, by=by)


async def _in_force(tx: Transaction) -> frozenset[Kill]:
    rows = await tx.fetch(_SQL["in_force"])
    return frozenset(Kill(row["tenant_id"], Scope(row["scope"]), row["name"], row["reason"]) for row in rows)


def _refuse(kill: Kill | None) -> None:
    if kill:
        what = f"{kill.scope} {kill.name}".rstrip()
        raise AirsideError(Code.KILLED, f"an operator has stopped {what}" + (f": {kill.reason}" if kill.reason else ""))


def _owner(tenant_id: str, scope: Scope, name: str) -> str:
    named = scope in {Scope.RUN, Scope.AGENT, Scope.TOOL}
    if named != bool(name) or len(name) > NAME_CHARACTERS_MAX:
        raise AirsideError(Code.INVALID_REQUEST, f"a kill of scope {scope} takes {'a' if named else 'no'} name")
    return "" if scope is Scope.ALL else tenant_id


def _entry(type_: str, tenant_id: str, scope: Scope, name: str, by: str) -> Entry:
    run_id = name if scope is Scope.RUN else ""
    return events.entry(type_, {"scope": scope.value, "name": name, "by": by}, tenant_id=tenant_id, run_id=run_id)
