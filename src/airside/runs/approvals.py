"""The review queue as the pipeline sees it: `Approvals` and `Suspensions` (invariant 4)."""

import json
from typing import Any

import msgspec

from airside.config.policy import PolicySettings
from airside.core import canonical
from airside.core.call import Call
from airside.core.clock import SECOND_US
from airside.core.dependencies import Dependency
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.policy import Decision
from airside.core.ports import ApprovalState, Database, Keyring, Row, Sealed, Transaction
from airside.core.run import Identity, RunState
from airside.core.tool import Tool
from airside.journal import events
from airside.journal.queries import load
from airside.runs import parking, transitions
from airside.runs.record import RunRecord
from airside.runs.reviewing.intake import Intake, Noted, keep_manifest, tell
from airside.runs.reviewing.seeds import Seeds
from airside.runs.signals import Signals

_SQL = load("airside.runs", "approvals.sql")
_RUNS = load("airside.runs", "runs.sql")


class RunApprovals:
    """Implements `ports.Approvals`: each approval serves one call, and a new one suspends the run."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: PolicySettings,
        signals: Signals,
        intake: Intake,
        seeds: Seeds,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._signals = signals
        self._intake = intake
        self._seeds = seeds

    async def ask(self, call: Call, decision: Decision, tool: Tool | None = None) -> ApprovalState:
        """Return the approval of this call, or ask for one and suspend the run; see `ports.Approvals`.

        Raises `approval_required` for a run that cannot wait, `attempt_superseded` from an attempt that has ended.
        """
        who = call.who
        if not who.supervised:
            raise AirsideError(Code.APPROVAL_REQUIRED)
        key = await self._keyring.subject(who.tenant_id, who.subject)
        sealed = key.seal(canonical.encode(dict(call.arguments or {})))

        asked = False

        async def body(tx: Transaction) -> tuple[ApprovalState, Row | None, RunRecord]:
            nonlocal asked
            run = await transitions.lock(tx, who.tenant_id, who.run_id)
            if run.attempt != who.attempt or run.state is not RunState.RUNNING:
                raise AirsideError(Code.ATTEMPT_SUPERSEDED)
            met = await tx.one(
                _SQL["meet"],
                tenant_id=who.tenant_id,
                run_id=who.run_id,
                request_hash=call.request_hash,
                attempt=who.attempt,
                call_id=call.call_id,
            )
            asked = met is None
            if met is None:
                noted = self._intake.note(call, decision, tool, tx.now_us)
                return await self._request(tx, run, call, decision, sealed, noted)
            state = await _claim(tx, met, call)
            edit = met["edited_arguments"]
            content = edit and await tx.one(
                _RUNS["content"], tenant_id=who.tenant_id, subject=who.subject, content_id=bytes(edit)
            )
            if state.state == "pending":
                run = await _suspend_for_review(tx, run)
            return state, content, run

        state, content, run = await self._database.transact(body)
        if run.suspend:
            self._signals.tell(run)
        if asked:
            await self._seeds.perhaps(who.tenant_id)
        if content is None or state.state != "approved":
            return state
        edited = key.open(state.edited_arguments or b"", bytes(content["sealed"]))
        return msgspec.structs.replace(state, edited_arguments=edited)

    async def _request(
        self, tx: Transaction, run: RunRecord, call: Call, decision: Decision, arguments: Sealed, noted: Noted
    ) -> tuple[ApprovalState, Row | None, RunRecord]:
        approval_id = new_id("apr")
        await tx.store(arguments)
        await keep_manifest(tx, run.tenant_id, noted)
        await tx.execute(
            _SQL["add"],
            **noted.columns,
            tenant_id=run.tenant_id,
            approval_id=approval_id,
            run_id=run.run_id,
            call_id=call.call_id,
            tool=call.name,
            request_hash=call.request_hash,
            canonical_version=canonical.VERSION,
            arguments=arguments.content_id,
            decision=json.dumps(msgspec.to_builtins(decision)),
            attempt=run.attempt,
            now_us=tx.now_us,
            decide_by_us=tx.now_us + int(self._settings.approval_decide_by_s * SECOND_US),
        )
        await tell(tx, run.tenant_id, approval_id, noted.notify, tx.now_us)
        body: dict[str, Any] = {
            "approval": approval_id,
            "tool": call.name,
            "hash": call.request_hash.hex(),
            "canonical_version": canonical.VERSION,
            "decision": msgspec.to_builtins(decision),
        }
        await tx.append(
            events.entry(
                events.APPROVAL_REQUESTED, body, tenant_id=run.tenant_id, run_id=run.run_id, call_id=call.call_id
            )
        )
        state = ApprovalState(approval_id=approval_id, call_id=call.call_id, state="pending")
        return state, None, await _suspend_for_review(tx, run)


async def _suspend_for_review(tx: Transaction, run: RunRecord) -> RunRecord:
    return await transitions.ask_to_stop(tx, run, RunState.WAITING_APPROVAL, "", "a reviewer must decide")


async def _claim(tx: Transaction, met: Row, call: Call) -> ApprovalState:
    """Claim an approval for this attempt. One that was not used in time has expired."""
    state = met["state"]
    if state == "approved" and not met["consumed_by"] and met["use_by_us"] < tx.now_us:
        state = "expired"
    await tx.execute(
        _SQL["claim"],
        tenant_id=met["tenant_id"],
        approval_id=met["approval_id"],
        attempt=call.who.attempt,
        state=state,
    )
    return ApprovalState(
        approval_id=met["approval_id"],
        call_id=met["call_id"],
        state=state,
        reason=met["reason"],
        edited_arguments=bytes(met["edited_arguments"]) if met["edited_arguments"] else None,
    )


_CODES = {
    RunState.HELD: Code.OUTCOME_UNKNOWN,
    RunState.DIVERGED: Code.DIVERGED,
    RunState.PARTIAL: Code.NO_PROGRESS,
}
"""Why the pipeline ends attempts; what ends for another reason does so elsewhere."""


class RunSuspensions:
    """Implements `ports.Suspensions`."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def suspend(self, identity: Identity, state: str, message: str) -> None:
        """Ask the worker to end the attempt; does nothing if it has ended or a stronger request stands."""
        wanted = RunState(state)
        code = _CODES[wanted].value if wanted in _CODES else ""

        async def body(tx: Transaction) -> RunRecord | None:
            run = await transitions.lock(tx, identity.tenant_id, identity.run_id)
            if run.attempt != identity.attempt or run.state is not RunState.RUNNING:
                return None
            if not identity.supervised:
                return await transitions.move(tx, run, wanted, code=code, message=message)
            return await transitions.ask_to_stop(tx, run, wanted, code, message)

        run = await self._database.transact(body)
        if run:
            self._signals.tell(run)

    async def park(self, identity: Identity, dependency: Dependency, message: str) -> None:
        """Ask the worker to end the attempt and leave the run parked until the dependency's breaker closes."""

        async def body(tx: Transaction) -> RunRecord | None:
            run = await transitions.lock(tx, identity.tenant_id, identity.run_id)
            if run.attempt != identity.attempt or run.state is not RunState.RUNNING:
                return None
            await parking.wait_for(tx, run, dependency)
            return await transitions.ask_to_stop(tx, run, RunState.PARKED, Code.BREAKER_OPEN.value, message)

        run = await self._database.transact(body)
        if run:
            self._signals.tell(run)
