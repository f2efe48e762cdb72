"""An airside in memory, for tests of agents and of airside itself: the real journal, pipeline and rules, no network.

`InMemoryPlane` runs on the SQLite journal without a file. Its parts that stand for people and other machines are small
and scripted: a clock that the test moves, a terminal that answers and fails as told, reviewers, and the kill switch.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from airside.config.settings import DatabaseSettings
from airside.core import canonical
from airside.core.budget import Limits
from airside.core.call import Call, CallKind, CallState, Effect, Need, Outcome, Usage
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.money import NanoUsd
from airside.core.policy import Decision
from airside.core.ports import ApprovalState, Forward, Policy, Step, Transaction
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.journal import queries
from airside.journal.backend import Backend, connect
from airside.journal.sealing import DatabaseKeyring
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.identify import Identify
from airside.pipeline.permit import Permit
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retry import Retry
from airside.policy import load

TENANT = "default"
START_US = 1_790_000_000 * SECOND_US
FAR_US = 4_000_000_000 * SECOND_US
_SQL = queries.load("airside", "testing.sql")

Act = Outcome | BaseException | Callable[[Call], Awaitable[Outcome]]


class FakeClock:
    """A clock that the test owns. With `jumping` (the default) a sleep moves it at once; else `advance` does."""

    def __init__(self, *, jumping: bool = True) -> None:
        self.slept_s: list[float] = []
        self._elapsed_s = 0.0
        self._jumping = jumping
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        """Return microseconds since the epoch; it starts in 2026."""
        return START_US + round(self._elapsed_s * SECOND_US)

    def monotonic_s(self) -> float:
        """Return the seconds that have passed on this clock."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock; every wait is noted in `slept_s`."""
        self.slept_s.append(seconds)
        if self._jumping:
            self._elapsed_s += seconds
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking sleepers in the order in which they are due."""
        until_s = self._elapsed_s + seconds
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until_s]:
            next_due = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(next_due)
            self._elapsed_s = max(self._elapsed_s, next_due[0])
            if not next_due[1].done():
                next_due[1].set_result(None)
            await asyncio.sleep(0)
        self._elapsed_s = until_s


class ScriptedTerminal:
    """The end of a pipeline: does what it is told, call by call, and keeps the calls that reached it.

    An act is an Outcome to return, an exception to raise, or an async function of the call. After the last act the
    terminal answers every call with its arguments.
    """

    def __init__(self, *acts: Act) -> None:
        self.calls: list[Call] = []
        self._acts = list(acts)

    async def __call__(self, call: Call) -> Outcome:
        """Play the next act."""
        self.calls.append(call)
        act = self._acts.pop(0) if self._acts else echo(call)
        if isinstance(act, Outcome):
            return act
        if isinstance(act, BaseException):
            raise act
        return await act(call)


def echo(call: Call) -> Outcome:
    """Return an answer that names the call's parts, with a usage of 10 tokens and a cost of 1,000 nano-dollars."""
    body = canonical.encode({"echo": [part.decode() for part in call.parts]})
    return Outcome(
        state=CallState.OK, body=body, usage=Usage(input=7, output=3), cost=NanoUsd(1_000), upstream="scripted"
    )


class ScriptedIdentities:
    """Implements core.ports.Identities over tokens that the test hands out.

    `killed` holds what may make no more calls: run ids, agents, tools, models, tenants, or `all`. The token of an
    outside program that names its run is known as `token@run`.
    """

    def __init__(self) -> None:
        self.known: dict[str, Identity] = {}
        self.killed: set[str] = set()

    async def resolve(self, token: str, run_header: str) -> Identity:
        """Return the identity of a token; raises `unauthenticated`."""
        name = f"{token}@{run_header}" if run_header else token
        if name not in self.known:
            raise AirsideError(Code.UNAUTHENTICATED, "no such token")
        return self.known[name]

    def check(self, identity: Identity, kind: CallKind, name: str) -> None:
        """Raise `killed` if anything that the call belongs to is in `killed`."""
        reached = {"all", identity.run_id, identity.agent, identity.tenant_id, name} & self.killed
        if reached:
            raise AirsideError(Code.KILLED, f"{kind} calls of {', '.join(sorted(reached))} were killed")


class NotedSuspensions:
    """Implements core.ports.Suspensions; keeps (run, state, message) and lets tests wait for the next one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.happened = asyncio.Event()

    async def suspend(self, identity: Identity, state: str, message: str) -> None:
        """Note the request."""
        self.asked.append((identity.run_id, state, message))
        self.happened.set()


class Reviewers:
    """Implements core.ports.Approvals: what `verdicts` says of each asked call in turn, `pending` when it is empty.

    A verdict is `approved`, `denied`, `expired`, `pending`, or the arguments of an edit.
    """

    def __init__(self, backend: Backend, suspensions: NotedSuspensions) -> None:
        self.verdicts: list[str | Mapping[str, Any]] = []
        self.asked: list[tuple[Call, Decision]] = []
        self._backend = backend
        self._suspensions = suspensions

    async def ask(self, call: Call, decision: Decision) -> ApprovalState:
        """Return the next verdict as an approval that the journal can consume."""
        self.asked.append((call, decision))
        verdict = self.verdicts.pop(0) if self.verdicts else "pending"
        state = verdict if isinstance(verdict, str) else "approved"
        approval_id = new_id("apr")
        if state == "pending":
            await self._suspensions.suspend(call.who, "waiting_approval", "a person must approve")
        values = {
            "approval_id": approval_id,
            "call_id": call.call_id,
            "tool": call.name,
            "request_hash": call.request_hash,
            "state": state,
            "reason": "",
            "use_by_us": FAR_US,
        }
        await self._backend.database.transact(
            lambda tx: tx.execute(
                _SQL["add_approval"], tenant_id=call.who.tenant_id, run_id=call.who.run_id, now_us=tx.now_us, **values
            )
        )
        edited = None if isinstance(verdict, str) else canonical.encode(dict(verdict))
        return ApprovalState(
            approval_id=approval_id, call_id=call.call_id, state=state, reason="not today", edited_arguments=edited
        )


class InMemoryPlane:
    """The pipeline on a journal, in memory unless `database_url` says otherwise. An async context manager."""

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        tools: Sequence[Tool] = (),
        clock: Clock | None = None,
        database_url: str = "memory:",
    ) -> None:
        self.database_url = database_url
        self.clock = clock or FakeClock()
        self.policy = policy or load(None)
        self.tools = {tool.name: tool for tool in tools}
        self.identities = ScriptedIdentities()
        self.suspensions = NotedSuspensions()
        self.afterwork = Afterwork(self.clock)
        self.divergence_wait_s = 30.0
        self.budget_wait_s = 60.0

    async def __aenter__(self) -> Self:
        """Open the journal."""
        self.backend = await connect(self.database_url, settings=DatabaseSettings(), executor_id="testing")
        self.journal = self.backend.journal
        self.keyring = DatabaseKeyring(self.backend.database, os.urandom(32))
        self.reviewers = Reviewers(self.backend, self.suspensions)
        await self.executor("testing", alive=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is under way and close the journal."""
        await self.afterwork.drain(10.0)
        await self.backend.close()

    def steps(self) -> list[Step]:
        """Return new instances of every step, in their order."""
        return [
            Identify(self.identities, self.clock),
            Replay(
                self.journal,
                self.keyring,
                self.identities,
                self.suspensions,
                self.clock,
                self.afterwork,
                divergence_wait_s=self.divergence_wait_s,
            ),
            Permit(self.policy, self.tool_of),
            Approve(self.reviewers, self.policy, self.tool_of, rebuild, self.keyring),
            Retry(self.clock),
            Record(
                self.journal,
                self.keyring,
                self.identities,
                self.clock,
                self.afterwork,
                budget_wait_s=self.budget_wait_s,
            ),
        ]

    def pipeline(self, terminal: Forward) -> Forward:
        """Return the whole pipeline around a terminal."""
        return compose(self.steps(), terminal)

    def tool_of(self, call: Call) -> Tool | None:
        """Return the manifest of a tool this plane was given."""
        return self.tools.get(call.name) if call.kind is CallKind.TOOL else None

    async def start_run(
        self, limits: Limits | None = None, *, supervised: bool = True, agent: str = "agent"
    ) -> Identity:
        """Return the identity of a new run's first attempt; its token is the run's id plus `/1`."""
        run_id = new_id("run")
        path = (f"tenant:{TENANT}", f"run:{run_id}")
        identity = Identity(
            tenant_id=TENANT,
            run_id=run_id,
            attempt=1,
            agent=agent,
            release="rel_testing",
            subject=run_id,
            budget_path=path,
            supervised=supervised,
            deadline_us=FAR_US,
        )

        async def body(tx: Transaction) -> None:
            key = {"tenant_id": TENANT, "run_id": run_id}
            await tx.execute(
                _SQL["add_run"],
                agent=agent,
                subject=run_id,
                supervised=int(supervised),
                input=b"{}",
                budget_path=msgspec.json.encode(path).decode(),
                now_us=tx.now_us,
                **key,
            )
            for node, allowed in zip(path, (Limits(), limits or Limits()), strict=True):
                await tx.execute(_SQL["add_budget"], tenant_id=TENANT, node=node, **msgspec.structs.asdict(allowed))
            await _add_attempt(tx, identity)

        await self.backend.database.transact(body)
        self.identities.known[_token(identity)] = identity
        return identity

    async def next_attempt(self, identity: Identity) -> Identity:
        """Return the identity of the run's next attempt, as after a crash; the earlier ones are over."""
        newer = msgspec.structs.replace(identity, attempt=identity.attempt + 1)

        async def body(tx: Transaction) -> None:
            key = {"tenant_id": newer.tenant_id, "run_id": newer.run_id}
            await tx.execute(_SQL["end_attempts"], now_us=tx.now_us, **key)
            await tx.execute(_SQL["set_attempt"], attempt=newer.attempt, **key)
            await _add_attempt(tx, newer)

        await self.backend.database.transact(body)
        self.identities.known[_token(newer)] = newer
        return newer

    async def executor(self, executor_id: str, *, alive: bool) -> None:
        """Let an executor be alive or dead."""
        until_us = FAR_US if alive else 0
        await self.backend.database.transact(
            lambda tx: tx.execute(_SQL["set_executor"], executor_id=executor_id, lease_until_us=until_us)
        )

    async def calls(self, identity: Identity) -> list[dict[str, Any]]:
        """Return the run's calls as the journal has them."""
        return await self._rows("calls", tenant_id=identity.tenant_id, run_id=identity.run_id)

    async def entries(self, identity: Identity) -> list[dict[str, Any]]:
        """Return the run's journal entries, bodies decoded."""
        rows = await self._rows("entries", tenant_id=identity.tenant_id, run_id=identity.run_id)
        return [row | {"body": msgspec.json.decode(row["body"])} for row in rows]

    async def balance(self, identity: Identity) -> dict[str, Any]:
        """Return what the run's budget node has spent and reserved."""
        (row,) = await self._rows("budget", tenant_id=identity.tenant_id, node=identity.budget_path[-1])
        return row

    async def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        rows = await self.backend.database.read(lambda tx: tx.fetch(_SQL[name], **parameters))
        return [dict(row) for row in rows]


def model_call(identity: Identity, text: str = "hello", **changes: Any) -> Call:
    """Return a model call of an attempt that may cost up to $0.01."""
    known: dict[str, Any] = {
        "call_id": new_id("call"),
        "kind": CallKind.MODEL,
        "name": "scripted/test",
        "token": _token(identity),
        "parts": (canonical.encode(text),),
        "effect": Effect.READ,
        "idempotent": True,
        "timeout_s": 60.0,
        "need": Need(fixed_nanousd=NanoUsd(10_000_000), fixed_tokens=20),
    }
    return Call(**(known | changes))


def tool_call(identity: Identity, tool: Tool, arguments: Mapping[str, Any], **changes: Any) -> Call:
    """Return a call of a tool by an attempt."""
    known: dict[str, Any] = {
        "call_id": new_id("call"),
        "kind": CallKind.TOOL,
        "name": tool.name,
        "token": _token(identity),
        "parts": (canonical.encode(dict(arguments)),),
        "arguments": dict(arguments),
        "effect": tool.effect,
        "idempotent": tool.idempotent,
        "timeout_s": tool.timeout_s,
        "local": tool.local,
    }
    return Call(**(known | changes))


def rebuild(call: Call, arguments: bytes) -> Call:
    """Return a call with a reviewer's arguments; there is no schema to check."""
    value = canonical.parse(arguments, bytes_max=1_048_576)
    return msgspec.structs.replace(call, arguments=value, parts=(canonical.encode(value),))


def _token(identity: Identity) -> str:
    return f"{identity.run_id}/{identity.attempt}"


async def _add_attempt(tx: Transaction, identity: Identity) -> None:
    await tx.execute(
        _SQL["add_attempt"],
        tenant_id=identity.tenant_id,
        run_id=identity.run_id,
        attempt=identity.attempt,
        token_hash=hashlib.sha256(_token(identity).encode()).digest(),
        lease_until_us=FAR_US,
        now_us=tx.now_us,
    )
