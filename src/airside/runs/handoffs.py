"""Handing a task to another agent: a tool call whose execution is a run of its own.

The sub-run is charged to its parent's budgets and its own, has the parent's subject, and may use no more tools than the
handoff grants. While it works the parent waits without a worker: its attempt is ended, the run is `parked`, and goes on
when the task has ended. The parent's call is the sub-run's name: sent again, by a retry or after a crash, it finds the
run that was made for it (invariant 3).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from airside.config.handoffs import HandoffSettings
from airside.config.settings import Settings
from airside.core import canonical
from airside.core.budget import Limits
from airside.core.call import Call, Effect
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.money import usd
from airside.core.ports import Database, Keyring, Transaction
from airside.core.release import Release
from airside.core.run import RunState
from airside.core.tool import Tool
from airside.guards.placeholders.handing_on import handed_on
from airside.guards.placeholders.vault import Vault
from airside.journal import events
from airside.journal.queries import load
from airside.policy.loading import parse
from airside.runs import budgets, submission, transitions
from airside.runs.allowances import Allowances
from airside.runs.budgets import Node
from airside.runs.record import RunRecord
from airside.runs.signals import Signals
from airside.runs.store import Runs
from airside.runs.submission import Submission
from airside.runs.vouching import principal_of

_SQL = load("airside.runs", "handoffs.sql")

DEPTH_MAX = 8
TASK_CHARS_MAX = 100_000
POLL_S = 1.0
GATHER_S = 0.2
"""How long a parent goes on after a handoff, so that others of the same turn are begun too before it is parked."""

TASK_S_MAX = 30 * 86_400.0
_SCHEMA = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "minLength": 1, "maxLength": TASK_CHARS_MAX, "description": "what is to be done"}
    },
    "required": ["task"],
    "additionalProperties": False,
}


def tool_of(name: str, settings: HandoffSettings) -> Tool:
    """Return the manifest of a handoff: it may do whatever that agent may, and finds its run again by its call."""
    return Tool(
        name=name,
        description=settings.description or f"Hand a task to the agent {settings.agent}, and get what it answers.",
        schema=_SCHEMA,
        effect=Effect.EXECUTE,
        idempotent=True,
        timeout_s=TASK_S_MAX,
        declared=True,
        source=f"agent:{settings.agent}",
    )


class Handoffs:
    """Executes calls of handoff tools."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        current: Mapping[str, Release],
        runs: Runs,
        signals: Signals,
        allowances: Allowances,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._current = current
        self._runs = runs
        self._signals = signals
        self._allowances = allowances
        self._clock = clock
        self._placeholders = Vault(database, keyring, values_max=settings.guards.placeholders_max)
        self._closing = asyncio.Event()
        self._rules = {name: _narrowing(name, handoff) for name, handoff in settings.handoffs.items()}

    def tools(self) -> Sequence[Tool]:
        """Return the handoffs that are configured, as tools."""
        return [tool_of(name, settings) for name, settings in self._settings.handoffs.items()]

    def close(self) -> None:
        """Let go of the tasks that are waited for here; they are found again when their calls are sent again."""
        self._closing.set()

    async def __call__(self, call: Call) -> bytes:
        """Return what the task came to, as JSON; raises `tool_failed` if it came to nothing."""
        sub = await self._begun(call)
        if not sub.terminal:
            await self._first(self._closing.wait(), self._clock.sleep(GATHER_S))
            sub = await self._ended(call, sub)
        self._tell(await self._database.transact(lambda tx: _go_on(tx, (call.who.tenant_id, call.who.run_id))))
        if sub.state not in {RunState.SUCCEEDED, RunState.PARTIAL}:
            raise AirsideError(
                Code.TOOL_FAILED,
                f"the agent {sub.agent} did not do it: its run {sub.run_id} is {sub.state} ({sub.code or 'no reason'})",
                details={"run": sub.run_id},
            )
        result = await self._runs.result(sub.tenant_id, sub.run_id)
        value = None if result is None else msgspec.json.decode(result)
        value = await handed_on(self._placeholders, value, structs.replace(call.who, run_id=sub.run_id), call.who)
        return canonical.encode({"run": sub.run_id, "state": sub.state.value, "result": value})

    async def _begun(self, call: Call) -> RunRecord:
        """Return the run that does the task, made now unless the call was sent before."""
        who, settings = call.who, self._settings.handoffs[call.name]
        if settings.agent not in self._current:
            raise AirsideError(Code.TOOL_FAILED, f"no agent is called {settings.agent}")
        sent_before = {"tenant_id": who.tenant_id, "call_id": call.call_id}
        made = await self._database.look_up(lambda tx: tx.one(_SQL["of_call"], **sent_before))
        if made:
            return await self._runs.get(who.tenant_id, made["run_id"])
        run_id = new_id("run")
        parent = await self._runs.get(who.tenant_id, who.run_id)
        said = (call.arguments or {})["task"]
        said = await handed_on(self._placeholders, said, who, structs.replace(who, run_id=run_id))
        task = Submission(
            tenant_id=who.tenant_id,
            agent=settings.agent,
            input=canonical.encode(said),
            labels=json.loads(parent.labels),
            priority=parent.priority,
            parent_run_id=parent.run_id,
            principal=principal_of(parent.principal),
            caller=parent.caller,
        )
        sealed = (await self._keyring.subject(parent.tenant_id, parent.subject)).seal(task.input)
        own = budgets.run_node(self._settings, run_id, task.agent)
        if settings.usd is not None:
            least = min(usd(settings.usd), own.limits.nanousd if own.limits.nanousd is not None else usd(settings.usd))
            own = structs.replace(own, limits=structs.replace(own.limits, nanousd=least))

        async def body(tx: Transaction) -> RunRecord:
            known = await tx.one(_SQL["of_call"], tenant_id=who.tenant_id, call_id=call.call_id)
            if known:
                return await transitions.look(tx, who.tenant_id, known["run_id"])
            depth = await _depth(tx, parent)
            fresh = submission.fresh(
                task,
                sealed,
                [*_nodes(who.budget_path), own],
                wall_us_max=budgets.wall_us(self._settings, task.agent),
                run_id=run_id,
                release=self._current[task.agent].fingerprint,
                now_us=tx.now_us,
            )
            run = structs.replace(fresh, subject=parent.subject)
            await self._allowances.make(tx, run.tenant_id, [own])
            await submission.write(tx, run, sealed)
            await self._note(tx, call, run, settings, depth)
            return run

        run = await self._database.transact(body)
        self._signals.tell(run)
        return run

    async def _note(self, tx: Transaction, call: Call, run: RunRecord, settings: HandoffSettings, depth: int) -> None:
        await tx.execute(
            _SQL["add"],
            tenant_id=run.tenant_id,
            call_id=call.call_id,
            parent_run_id=call.who.run_id,
            run_id=run.run_id,
            tools="" if settings.tools is None else json.dumps(settings.tools),
            rules=_rules(call.who.caveats, self._rules[call.name]),
            depth=depth,
            now_us=tx.now_us,
        )
        body: dict[str, Any] = {"tool": call.name, "agent": run.agent, "run": run.run_id, "depth": depth}
        who = call.who
        await tx.append(
            events.entry(events.RUN_HANDED_OFF, body, tenant_id=who.tenant_id, run_id=who.run_id, call_id=call.call_id)
        )

    async def _ended(self, call: Call, sub: RunRecord) -> RunRecord:
        """Return the sub-run once it has ended; until then its supervised parent is kept off its worker."""
        while True:
            sub = await self._runs.get(sub.tenant_id, sub.run_id)
            if sub.terminal:
                return sub
            if self._closing.is_set():
                raise AirsideError(Code.UPSTREAM_FAILED, f"airside is stopping; {sub.run_id} goes on with the task")
            if call.who.supervised:
                await self._park(call, sub)
            await self._first(self._closing.wait(), self._signals.wait(sub.tenant_id, sub.run_id, POLL_S))

    async def _park(self, call: Call, sub: RunRecord) -> None:
        self._tell(await self._database.transact(lambda tx: _parked(tx, call, sub)))

    async def _first(self, *waits: Any) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _tell(self, run: RunRecord | None) -> None:
        if run is not None:
            self._signals.tell(run)

    async def sweep(self) -> None:
        """Let parents go on whose tasks have ended, and end tasks whose parents have: for what died in between."""

        async def body(tx: Transaction) -> list[RunRecord | None]:
            rows = await tx.fetch(_SQL["resumable"])
            return [await _go_on(tx, (row["tenant_id"], row["run_id"])) for row in rows]

        for run in await self._database.transact(body):
            self._tell(run)
        for row in await self._database.read(lambda tx: tx.fetch(_SQL["abandoned"])):
            await self._runs.cancel(row["tenant_id"], row["run_id"], by="")


async def unfinished(tx: Transaction, tenant_id: str, run_id: str) -> int:
    """Count the tasks of a run that others are still doing."""
    row = await tx.one(_SQL["unfinished"], tenant_id=tenant_id, run_id=run_id)
    return int(row["n"]) if row else 0


def _narrowing(name: str, settings: HandoffSettings) -> list[str]:
    """Return the rules of a handoff as a list of policies, of one or none; raises `misconfigured` for what are none."""
    if not settings.rules:
        return []
    text = canonical.encode({"rules": settings.rules}).decode()
    parse(text, f"handoffs.{name}.rules")
    return [text]


def _rules(caveats: Sequence[str], own: Sequence[str]) -> str:
    """Return what binds a task as a JSON list: what binds whoever hands it on, and the rules of the handoff."""
    rules = [*caveats, *own]
    return json.dumps(rules) if rules else ""


async def _depth(tx: Transaction, parent: RunRecord) -> int:
    above = await tx.one(_SQL["depth"], tenant_id=parent.tenant_id, run_id=parent.run_id)
    depth = (above["depth"] if above else 0) + 1
    if depth > DEPTH_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"a task may be handed on {DEPTH_MAX} times; this would be once more")
    return depth


def _nodes(path: Sequence[str]) -> list[Node]:
    """Return the parent's nodes, which exist with their limits already."""
    return [Node(name, Limits()) for name in path]


async def _parked(tx: Transaction, call: Call, sub: RunRecord) -> RunRecord | None:
    run = await transitions.lock(tx, call.who.tenant_id, call.who.run_id)
    if run.state is not RunState.RUNNING or run.suspend is not None:
        return None
    message = f"waits for {sub.agent}, who does a task in {sub.run_id}"
    return await transitions.ask_to_stop(tx, run, RunState.PARKED, Code.HANDED_OFF.value, message)


async def _go_on(tx: Transaction, key: tuple[str, str]) -> RunRecord | None:
    """Queue a run that is parked for its tasks, if none of them is still being done."""
    run = await transitions.lock(tx, *key)
    if run.state is not RunState.PARKED or run.code != Code.HANDED_OFF or await unfinished(tx, *key):
        return None
    return await transitions.move(tx, run, RunState.QUEUED, ready_us=tx.now_us)
