"""The review queue as reviewers see it: list, show, approve (perhaps edited), deny; and what expires undecided."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from airside.config.settings import PolicySettings
from airside.core import canonical
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Entry, Keyring, Row, Sealed, Transaction
from airside.core.run import RunState
from airside.journal import events
from airside.journal.queries import load
from airside.runs import transitions
from airside.runs.cursor import END, PAGE_MAX, cursor_of, place_of
from airside.runs.record import RunRecord
from airside.runs.signals import Signals

_SQL = load("airside.runs", "approvals.sql")
_RUNS = load("airside.runs", "runs.sql")

REASON_CHARACTERS_MAX = 2_000
ARGUMENTS_BYTES_MAX = 1_048_576


class Review(Struct, frozen=True, kw_only=True):
    """An approval with the evidence. `arguments` and `edited_arguments` are unsealed only by `show`."""

    approval_id: str
    run_id: str
    agent: str
    tool: str
    state: str
    decision: dict[str, Any]
    labels: dict[str, str]
    reason: str
    decided_by: str
    requested_us: int
    decide_by_us: int
    decided_us: int | None
    use_by_us: int | None
    consumed_by: str
    arguments: Any = None
    edited_arguments: Any = None


class ReviewPage(Struct, frozen=True):
    """Some approvals, newest first, and the cursor of the next page; an empty cursor is the end."""

    reviews: Sequence[Review]
    cursor: str


class Reviews:
    """What people do with approvals. A decision is final; of two, the first wins."""

    def __init__(self, database: Database, keyring: Keyring, settings: PolicySettings, signals: Signals) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._signals = signals

    async def page(
        self, tenant_id: str, *, state: str = "", run_id: str = "", cursor: str = "", limit: int = 50
    ) -> ReviewPage:
        """Return approvals, newest first, from after `cursor`; at most 200, without their arguments."""
        before_us, before_id = place_of(cursor, END)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> list[Review]:
            rows = await tx.fetch(
                _SQL["page"],
                tenant_id=tenant_id,
                state=state,
                run_id=run_id,
                before_us=before_us,
                before_id=before_id,
                n=size + 1,
            )
            return [_review(row) for row in rows]

        found = await self._database.read(body)
        last = found[size - 1] if len(found) > size else None
        return ReviewPage(found[:size], cursor_of(last.requested_us, last.approval_id) if last else "")

    async def show(self, tenant_id: str, approval_id: str) -> Review:
        """Return an approval with the proposed arguments, and the edited ones if there are any."""

        async def body(tx: Transaction) -> tuple[Row, dict[bytes, bytes]]:
            row = await _get(tx, tenant_id, approval_id)
            blobs = {}
            for name in (row["arguments"], row["edited_arguments"]):
                content = name and await tx.one(
                    _RUNS["content"], tenant_id=tenant_id, subject=row["subject"], content_id=bytes(name)
                )
                if content:
                    blobs[bytes(name)] = bytes(content["sealed"])
            return row, blobs

        row, blobs = await self._database.read(body)
        key = await self._keyring.subject(tenant_id, row["subject"])
        opened = {name: json.loads(key.open(name, blob)) for name, blob in blobs.items()}
        return _review(row, opened)

    async def approve(
        self, tenant_id: str, approval_id: str, by: str, *, reason: str = "", arguments: bytes | None = None
    ) -> Review:
        """Approve a call, with other arguments if `arguments` (a JSON object as text) is given.

        Raises `conflict` if it was decided or has expired, `invalid_request` for arguments that are no object.
        """
        edit = None
        if arguments is not None:
            value = canonical.parse(arguments, bytes_max=ARGUMENTS_BYTES_MAX)
            if not isinstance(value, dict):
                raise AirsideError(Code.INVALID_REQUEST, "edited arguments must be a JSON object")
            edit = canonical.encode(value)
        return await self._decide(tenant_id, approval_id, "approved", by, reason, edit)

    async def deny(self, tenant_id: str, approval_id: str, by: str, *, reason: str) -> Review:
        """Deny a call; the agent is told the reason. Raises `conflict` if it was decided or has expired."""
        return await self._decide(tenant_id, approval_id, "denied", by, reason, None)

    async def _decide(
        self, tenant_id: str, approval_id: str, state: str, by: str, reason: str, edit: bytes | None
    ) -> Review:
        if len(reason) > REASON_CHARACTERS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the reason is over {REASON_CHARACTERS_MAX} characters")
        before = await self._database.read(lambda tx: _get(tx, tenant_id, approval_id))
        sealed = None
        if edit is not None:
            sealed = (await self._keyring.subject(tenant_id, before["subject"])).seal(edit)

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, before["run_id"])
            if run.terminal or not await self._write(tx, before, state, by, reason, sealed):
                now = await _get(tx, tenant_id, approval_id)
                raise AirsideError(Code.CONFLICT, _taken(now, tx.now_us))
            return await _resume(tx, run, by)

        self._signals.tell(await self._database.transact(body))
        return await self.show(tenant_id, approval_id)

    async def _write(self, tx: Transaction, row: Row, state: str, by: str, reason: str, edit: Sealed | None) -> bool:
        if edit:
            await tx.store(edit)
        use_by_us = tx.now_us + int(self._settings.approval_use_by_s * SECOND_US)
        won = await tx.execute(
            _SQL["decide"],
            tenant_id=row["tenant_id"],
            approval_id=row["approval_id"],
            state=state,
            reason=reason,
            decided_by=by,
            now_us=tx.now_us,
            use_by_us=use_by_us if state == "approved" else None,
            edited_arguments=edit.content_id if edit else None,
        )
        if won:
            await tx.append(_decided(row, state, by, edit.content_id.hex() if edit else ""))
        return bool(won)

    async def expire(self) -> int:
        """Expire what nobody decided in time, queue the runs that waited for it, and return how many expired."""

        async def overdue(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["overdue"], now_us=tx.now_us)

        rows = await self._database.read(overdue)
        for row in rows:

            async def body(tx: Transaction, row: Row = row) -> RunRecord:
                run = await transitions.lock(tx, row["tenant_id"], row["run_id"])
                names = {"tenant_id": row["tenant_id"], "approval_id": row["approval_id"]}
                if await tx.execute(_SQL["expire"], **names, now_us=tx.now_us):
                    await tx.append(_decided(row, "expired", "", ""))
                return await _resume(tx, run, "")

            self._signals.tell(await self._database.transact(body))
        return len(rows)


async def _resume(tx: Transaction, run: RunRecord, by: str) -> RunRecord:
    """Queue a waiting run once nothing of it is pending. One that is still being stopped is queued by its worker."""
    if run.state is RunState.WAITING_APPROVAL and not await transitions.pending_approvals(tx, run):
        return await transitions.move(tx, run, RunState.QUEUED, by=by, ready_us=tx.now_us)
    return run


async def _get(tx: Transaction, tenant_id: str, approval_id: str) -> Row:
    row = await tx.one(_SQL["get"], tenant_id=tenant_id, approval_id=approval_id)
    if row is None:
        raise AirsideError(Code.NOT_FOUND, f"there is no approval {approval_id[:100]}")
    return row


def _taken(row: Row, now_us: int) -> str:
    if row["state"] == "pending" and row["decide_by_us"] > now_us:
        return "the run has ended, so there is nothing to decide"
    if row["state"] in {"pending", "expired"}:
        return "the approval has expired"
    return f"{row['decided_by'] or 'someone'} has {row['state']} this already"


def _decided(row: Row, state: str, by: str, edit: str) -> Entry:
    body = {"approval": row["approval_id"], "state": state, "by": by, "edited": edit}
    return events.entry(events.APPROVAL_DECIDED, body, tenant_id=row["tenant_id"], run_id=row["run_id"])


def _review(row: Row, opened: dict[bytes, Any] | None = None) -> Review:
    contents = opened or {}
    return Review(
        approval_id=row["approval_id"],
        run_id=row["run_id"],
        agent=row["agent"],
        tool=row["tool"],
        state=row["state"],
        decision=json.loads(row["decision"]),
        labels=json.loads(row["labels"]),
        reason=row["reason"],
        decided_by=row["decided_by"],
        requested_us=row["requested_us"],
        decide_by_us=row["decide_by_us"],
        decided_us=row["decided_us"],
        use_by_us=row["use_by_us"],
        consumed_by=row["consumed_by"],
        arguments=contents.get(bytes(row["arguments"])),
        edited_arguments=contents.get(bytes(row["edited_arguments"])) if row["edited_arguments"] else None,
    )
