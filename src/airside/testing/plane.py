"""An airside in memory: the real journal, pipeline and rules; what stands for people and other machines is scripted."""

import hashlib
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from airside.config.settings import DatabaseSettings
from airside.core import canonical
from airside.core.budget import Limits
from airside.core.call import Call, CallKind
from airside.core.clock import Clock
from airside.core.ids import new_id
from airside.core.ports import Forward, Policy, Step, Transaction, Witness
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.journal import queries
from airside.journal.backend import connect
from airside.journal.sealing import DatabaseKeyring
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.evidence import Evidence
from airside.pipeline.identify import Identify
from airside.pipeline.permit import Permit
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retry import Retry
from airside.policy import load
from airside.testing.calls import token_of
from airside.testing.clock import FAR_US, FakeClock
from airside.testing.people import NotedSuspensions, Reviewers, ScriptedIdentities

TENANT = "default"
_SQL = queries.load("airside.testing", "testing.sql")


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
        self.witnesses: Sequence[Witness] = ()
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
        evidence = Evidence(self.witnesses, self.tool_of, self.clock)
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
            evidence,
            Permit(self.policy, self.tool_of),
            Approve(self.reviewers, self.policy, self.tool_of, evidence.gathered, rebuild, self.keyring),
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
        self.identities.known[token_of(identity)] = identity
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
        self.identities.known[token_of(newer)] = newer
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


def rebuild(call: Call, arguments: bytes) -> Call:
    """Return a call with a reviewer's arguments; there is no schema to check."""
    value = canonical.parse(arguments, bytes_max=1_048_576)
    return msgspec.structs.replace(call, arguments=value, parts=(canonical.encode(value),))


async def _add_attempt(tx: Transaction, identity: Identity) -> None:
    await tx.execute(
        _SQL["add_attempt"],
        tenant_id=identity.tenant_id,
        run_id=identity.run_id,
        attempt=identity.attempt,
        token_hash=hashlib.sha256(token_of(identity).encode()).digest(),
        lease_until_us=FAR_US,
        now_us=tx.now_us,
    )
