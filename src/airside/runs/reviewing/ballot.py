"""Deciding in one transaction: who may, whether enough people agree, and what is written then (invariant 4)."""

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from airside.config.approvals import ApprovalSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Entry, Row, Sealed, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.runs.reviewing.chain import Person, admits

_SQL = load("airside.runs.reviewing", "reviewing.sql")
_APPROVALS = load("airside.runs", "approvals.sql")

APPROVED: Final = "approved"
DENIED: Final = "denied"
ANCESTORS_MAX: Final = 100


class Voucher(Struct, frozen=True):
    """A value that a person vouches for: where it stands in the arguments, and the value, sealed."""

    argument: str
    value: Sealed


class UsedLink(Struct, frozen=True):
    """The signed link that a decision came by, which works once."""

    nonce: str
    expires_us: int


class Ballot(Struct, frozen=True, kw_only=True):
    """What a person says of a proposal: `approved` or `denied`, perhaps with other arguments, which they vouch for.

    `required` is how many must agree to these arguments, if that is more than to those that were proposed.
    """

    state: str
    person: Person
    reason: str = ""
    edit: Sealed | None = None
    vouchers: Sequence[Voucher] = ()
    link: UsedLink | None = None
    required: int = 1


async def check(tx: Transaction, row: Row, ballot: Ballot, settings: ApprovalSettings) -> None:
    """Raise `forbidden` unless the person may decide on this, and `conflict` for a link that was used."""
    await admit(tx, row, ballot.person, settings, agrees=ballot.state == APPROVED)
    if ballot.link is not None:
        await use_link(tx, row["tenant_id"], ballot.link)


async def admit(tx: Transaction, row: Row, person: Person, settings: ApprovalSettings, *, agrees: bool) -> None:
    """Raise `forbidden` unless the person may say something on this now, or, with `agrees`, say yes to it."""
    if not admits(settings.escalation, row["step"], row["floor"], person):
        raise AirsideError(Code.FORBIDDEN, "another group decides on this approval at its present step")
    own = agrees and row["agent"] in settings.four_eyes
    if own and await _submitter(tx, row["tenant_id"], row["source_run_id"]) == person.name:
        raise AirsideError(Code.FORBIDDEN, "who submitted a run does not approve its calls (approvals.four_eyes)")


async def use_link(tx: Transaction, tenant_id: str, link: UsedLink) -> None:
    """Note that a link was used; raises `conflict` if it was before."""
    if not await tx.execute(_SQL["use_link"], tenant_id=tenant_id, nonce=link.nonce, expires_us=link.expires_us):
        raise AirsideError(Code.CONFLICT, "this link was used already")


async def _submitter(tx: Transaction, tenant_id: str, run_id: str) -> str:
    """Return who submitted a run, or the run that it is a part of; empty if nobody knows."""
    for _ in range(ANCESTORS_MAX):
        found = await tx.one(_SQL["submitter"], tenant_id=tenant_id, run_id=run_id)
        by = str(json.loads(bytes(found["body"])).get("by", "")) if found else ""
        if by or found is None or not found["parent_run_id"]:
            return by
        run_id = found["parent_run_id"]
    return ""


async def agreed(tx: Transaction, row: Row, ballot: Ballot) -> bool:
    """Write a person's agreement; return whether enough different people now agree to the same arguments.

    Raises `conflict` for whoever has agreed to these very arguments before.
    """
    names = {"tenant_id": row["tenant_id"], "approval_id": row["approval_id"]}
    wanted = ballot.edit.content_id if ballot.edit else bytes(row["arguments"])
    votes = {vote["reviewer"]: bytes(vote["arguments"]) for vote in await tx.fetch(_SQL["votes"], **names)}
    if votes.get(ballot.person.name) == wanted:
        raise AirsideError(Code.CONFLICT, "you have agreed to this already; another person must, too")
    if ballot.edit:
        await tx.store(ballot.edit)
    await tx.execute(
        _SQL["vote"],
        **names,
        reviewer=ballot.person.name,
        key_id=ballot.person.key_id,
        arguments=wanted,
        now_us=tx.now_us,
    )
    votes[ballot.person.name] = wanted
    count = sum(arguments == wanted for arguments in votes.values())
    needed = max(row["required"], ballot.required)
    if count >= needed:
        return True
    body = {
        "approval": row["approval_id"],
        "by": ballot.person.name,
        "key": ballot.person.key_id,
        "of": needed,
    }
    await tx.append(entry(events.APPROVAL_VOTED, row, body | {"agree": count, "edited": _edited(ballot)}))
    return False


async def decide(tx: Transaction, row: Row, ballot: Ballot, use_by_us: int) -> bool:
    """Write the decision, what it vouches for and its entry; return whether nobody was faster."""
    won = await tx.execute(
        _APPROVALS["decide"],
        tenant_id=row["tenant_id"],
        approval_id=row["approval_id"],
        state=ballot.state,
        reason=ballot.reason,
        decided_by=ballot.person.name,
        now_us=tx.now_us,
        use_by_us=use_by_us if ballot.state == APPROVED else None,
        edited_arguments=ballot.edit.content_id if ballot.edit else None,
    )
    if won:
        await tx.append(decided(row, ballot.state, ballot.person, _edited(ballot)))
        await vouch(tx, row, ballot.person, ballot.vouchers)
    return bool(won)


async def vouch(tx: Transaction, row: Row, person: Person, vouchers: Sequence[Voucher]) -> None:
    """Write what a person vouches for in the run of an approval."""
    for voucher in vouchers:
        await tx.store(voucher.value)
        await tx.execute(
            _SQL["endorse"],
            tenant_id=row["tenant_id"],
            run_id=row["run_id"],
            content=voucher.value.content_id,
            approval_id=row["approval_id"],
            argument=voucher.argument,
            reviewer=person.name,
            now_us=tx.now_us,
        )
        body = {"approval": row["approval_id"], "by": person.name, "argument": voucher.argument}
        await tx.append(entry(events.APPROVAL_ENDORSED, row, body | {"value": voucher.value.content_id.hex()}))


def decided(row: Row, state: str, person: Person, edit: str) -> Entry:
    """Return the entry of a decision, or of an expiry by nobody."""
    body = {"approval": row["approval_id"], "state": state, "by": person.name, "key": person.key_id, "edited": edit}
    return entry(events.APPROVAL_DECIDED, row, body)


def entry(type_: str, row: Row, body: dict[str, Any]) -> Entry:
    """Return an entry about an approval of a run."""
    return events.entry(type_, body, tenant_id=row["tenant_id"], run_id=row["run_id"])


def taken(row: Row, now_us: int) -> str:
    """Return why an approval can no longer be decided."""
    if row["state"] == "pending" and row["decide_by_us"] > now_us:
        return "the run has ended, so there is nothing to decide"
    if row["state"] in {"pending", "expired"}:
        return "the approval has expired"
    return f"{row['decided_by'] or 'someone'} has {row['state']} this already"


def _edited(ballot: Ballot) -> str:
    return ballot.edit.content_id.hex() if ballot.edit else ""
