"""The review queue as reviewers see it: list, show, approve (perhaps edited), deny; and what expires undecided."""

import json
from collections.abc import Sequence
from typing import Any

from airside.config.approvals import ApprovalSettings
from airside.config.policy import PolicySettings
from airside.core import canonical
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs import transitions
from airside.runs.cursor import BEGINNING, END, PAGE_MAX, cursor_of, place_of
from airside.runs.record import RunRecord
from airside.runs.reviewing import ballot as ballots
from airside.runs.reviewing import seeds
from airside.runs.reviewing.agreement import required
from airside.runs.reviewing.ballot import APPROVED, DENIED, Ballot, UsedLink, Voucher
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.filters import NO_FILTER, Filter
from airside.runs.reviewing.preview import Preview, changed
from airside.runs.reviewing.review import Review, ReviewPage, Vote, of_row
from airside.runs.signals import Signals

_SQL = load("airside.runs", "approvals.sql")
_REVIEWING = load("airside.runs.reviewing", "reviewing.sql")
_RUNS = load("airside.runs", "runs.sql")

REASON_CHARACTERS_MAX = 2_000
ARGUMENTS_BYTES_MAX = 1_048_576
VOUCHED_MAX = 50  # values of one edit
NOBODY = Person("")


class Reviews:
    """What people do with approvals. A decision is final; of two, the first wins."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        policy: PolicySettings,
        settings: ApprovalSettings,
        signals: Signals,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._use_by_us = int(policy.approval_use_by_s * SECOND_US)
        self._settings = settings
        self._signals = signals
        self.preview: Preview | None = None  # edits are then checked when they are saved, too

    async def page(
        self, tenant_id: str, wanted: Filter = NO_FILTER, *, cursor: str = "", limit: int = 50
    ) -> ReviewPage:
        """Return approvals, newest or riskiest first, from after `cursor`; at most 200, without their arguments."""
        from_us, from_id = place_of(cursor, BEGINNING if wanted.by_risk else END)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> list[Row]:
            query = _SQL["page_by_risk" if wanted.by_risk else "page"]
            place = {"from_us": from_us, "from_id": from_id, "now_us": tx.now_us, "n": size + 1}
            return list(await tx.fetch(query, tenant_id=tenant_id, **wanted.columns, **place))

        rows = await self._database.read(body)
        following = ""
        if len(rows) > size:
            last = rows[size - 1]
            following = cursor_of(last["rank_us" if wanted.by_risk else "requested_us"], last["approval_id"])
        return ReviewPage([of_row(row) for row in rows[:size]], following)

    async def show(self, tenant_id: str, approval_id: str, *, opened: bool = True) -> Review:
        """Return an approval; with `opened` also the arguments, proposed, edited, and as others have agreed to them."""

        async def body(tx: Transaction) -> tuple[Row, Sequence[Row], dict[bytes, bytes]]:
            row = await _get(tx, tenant_id, approval_id)
            votes = await tx.fetch(_REVIEWING["votes"], tenant_id=tenant_id, approval_id=approval_id)
            named = [row["arguments"], row["edited_arguments"], *[vote["arguments"] for vote in votes]]
            return row, votes, await _contents(tx, row, named) if opened else {}

        row, votes, blobs = await self._database.read(body)
        contents = {}
        if blobs:
            key = await self._keyring.subject(tenant_id, row["subject"])
            contents = {name: json.loads(key.open(name, blob)) for name, blob in blobs.items()}
        return of_row(row, contents, [_vote(row, vote, contents) for vote in votes])

    async def approve(
        self,
        tenant_id: str,
        approval_id: str,
        by: Person,
        *,
        reason: str = "",
        arguments: bytes | None = None,
        link: UsedLink | None = None,
    ) -> Review:
        """Approve a call, with other arguments if `arguments` (a JSON object as text) is given.

        Where more than one person must agree, it stays pending until enough agree to the same arguments. Raises
        `conflict` if it was decided or has expired, `forbidden` for who may not, and for an edit `invalid_request`,
        `invalid_arguments` or `policy_denied`.
        """
        edit = None
        if arguments is not None:
            edit = canonical.parse(arguments, bytes_max=ARGUMENTS_BYTES_MAX)
            if not isinstance(edit, dict):
                raise AirsideError(Code.INVALID_REQUEST, "edited arguments must be a JSON object")
        ballot = Ballot(state=APPROVED, person=by, reason=reason, link=link)
        return await self._decide(tenant_id, approval_id, ballot, edit)

    async def deny(
        self, tenant_id: str, approval_id: str, by: Person, *, reason: str, link: UsedLink | None = None
    ) -> Review:
        """Deny a call; the agent is told the reason. One person's no is enough. Raises as `approve` does."""
        ballot = Ballot(state=DENIED, person=by, reason=reason, link=link)
        return await self._decide(tenant_id, approval_id, ballot, None)

    async def _decide(self, tenant_id: str, approval_id: str, ballot: Ballot, edit: dict[str, Any] | None) -> Review:
        if len(ballot.reason) > REASON_CHARACTERS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the reason is over {REASON_CHARACTERS_MAX} characters")
        before = await self._database.read(lambda tx: _get(tx, tenant_id, approval_id))
        if edit is not None:
            ballot = await self._edited(before, ballot, edit)
        if before["seeded"]:
            await self._database.transact(lambda tx: self._of_seed(tx, approval_id, tenant_id, ballot))
            return await self.show(tenant_id, approval_id)

        async def body(tx: Transaction) -> RunRecord:
            run = await transitions.lock(tx, tenant_id, before["run_id"])
            row = await _get(tx, tenant_id, approval_id)
            if run.terminal or row["state"] != "pending" or row["decide_by_us"] <= tx.now_us:
                raise AirsideError(Code.CONFLICT, ballots.taken(row, tx.now_us))
            await ballots.check(tx, row, ballot, self._settings)
            if ballot.state == APPROVED and not await ballots.agreed(tx, row, ballot):
                return run
            await ballots.decide(tx, row, ballot, tx.now_us + self._use_by_us)
            return await _resume(tx, run, ballot.person.name)

        self._signals.tell(await self._database.transact(body))
        return await self.show(tenant_id, approval_id)

    async def _of_seed(self, tx: Transaction, approval_id: str, tenant_id: str, ballot: Ballot) -> None:
        row = await _get(tx, tenant_id, approval_id)
        if row["state"] != "pending":
            raise AirsideError(Code.CONFLICT, ballots.taken(row, tx.now_us))
        await ballots.check(tx, row, ballot, self._settings)
        if not await seeds.decide(tx, row, ballot):
            raise AirsideError(Code.CONFLICT, ballots.taken(dict(row) | {"state": "expired"}, tx.now_us))

    async def _edited(self, row: Row, ballot: Ballot, edit: dict[str, Any]) -> Ballot:
        """Return the ballot with the edit, sealed, and the changed values as what the person vouches for."""
        key = await self._keyring.subject(row["tenant_id"], row["subject"])

        async def body(tx: Transaction) -> tuple[dict[bytes, bytes], Row | None]:
            tool = row["tool_hash"] and await tx.one(
                _REVIEWING["tool"], tenant_id=row["tenant_id"], tool_hash=bytes(row["tool_hash"])
            )
            return await _contents(tx, row, [row["arguments"]]), tool

        blobs, tool = await self._database.read(body)
        name = bytes(row["arguments"])
        proposed = json.loads(key.open(name, blobs[name])) if name in blobs else {}
        needed = 1
        if tool and self.preview:
            said = self.preview.check(row, tool["manifest"].encode(), proposed, edit)
            about = {"agent": row["agent"], "tool": row["tool"], "amount": said.amount}
            needed = required(said.decision, self._settings.two_person, **about)
        names = [argument for argument in sorted(changed(proposed, edit)) if argument in edit][:VOUCHED_MAX]
        return Ballot(
            state=ballot.state,
            person=ballot.person,
            reason=ballot.reason,
            link=ballot.link,
            edit=key.seal(canonical.encode(edit)),
            required=needed,
            vouchers=[Voucher(argument, key.seal(canonical.encode(edit[argument]))) for argument in names],
        )

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
                    await tx.append(ballots.decided(row, "expired", NOBODY, ""))
                return await _resume(tx, run, "")

            self._signals.tell(await self._database.transact(body))
        return len(rows)


async def _resume(tx: Transaction, run: RunRecord, by: str) -> RunRecord:
    """Queue a waiting run once nothing of it is pending. One that is still being stopped is queued by its worker."""
    if run.state is RunState.WAITING_APPROVAL and not await transitions.pending_approvals(tx, run):
        return await transitions.move(tx, run, RunState.QUEUED, by=by, ready_us=tx.now_us)
    return run


async def _get(tx: Transaction, tenant_id: str, approval_id: str) -> Row:
    row = await tx.one(_SQL["get"], tenant_id=tenant_id, approval_id=approval_id, now_us=tx.now_us)
    if row is None:
        raise AirsideError(Code.NOT_FOUND, f"there is no approval {approval_id[:100]}")
    return row


async def _contents(tx: Transaction, row: Row, names: Sequence[Any]) -> dict[bytes, bytes]:
    """Return the sealed contents of an approval's subject that are there."""
    found = {}
    for name in {bytes(name) for name in names if name}:
        content = await tx.one(_RUNS["content"], tenant_id=row["tenant_id"], subject=row["subject"], content_id=name)
        if content:
            found[name] = bytes(content["sealed"])
    return found


def _vote(row: Row, vote: Row, contents: dict[bytes, Any]) -> Vote:
    name, edited = bytes(vote["arguments"]), bytes(vote["arguments"]) != bytes(row["arguments"])
    return Vote(
        reviewer=vote["reviewer"], at_us=vote["at_us"], edited=edited, arguments=contents.get(name) if edited else None
    )
