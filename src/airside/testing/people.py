"""Who stands around a pipeline, scripted: holders of tokens, the kill switch, the worker's ear, and reviewers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from airside.core import canonical
from airside.core.call import Call, CallKind
from airside.core.dependencies import Dependency
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.policy import Decision
from airside.core.ports import ApprovalState
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.journal import queries
from airside.journal.backend import Backend
from airside.testing.clock import FAR_US

_SQL = queries.load("airside.testing", "testing.sql")


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

    async def park(self, identity: Identity, dependency: Dependency, message: str) -> None:
        """Note the request, with the dependency in front of the message."""
        await self.suspend(identity, "parked", f"{dependency.name}: {message}")


class Reviewers:
    """Implements core.ports.Approvals: what `verdicts` says of each asked call in turn, `pending` when it is empty.

    A verdict is `approved`, `denied`, `expired`, `pending`, or the arguments of an edit.
    """

    def __init__(self, backend: Backend, suspensions: NotedSuspensions) -> None:
        self.verdicts: list[str | Mapping[str, Any]] = []
        self.asked: list[tuple[Call, Decision]] = []
        self._backend = backend
        self._suspensions = suspensions

    async def ask(self, call: Call, decision: Decision, _tool: Tool | None = None) -> ApprovalState:
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
