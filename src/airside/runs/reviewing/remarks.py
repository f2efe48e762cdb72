"""What reviewers add to an approval: comments, and values that they vouch for once, for the whole run."""

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from airside.config.approvals import ApprovalSettings
from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.runs.reviewing import ballot as ballots
from airside.runs.reviewing.ballot import Voucher
from airside.runs.reviewing.chain import Person

_SQL = load("airside.runs.reviewing", "reviewing.sql")
_APPROVALS = load("airside.runs", "approvals.sql")
_RUNS = load("airside.runs", "runs.sql")

COMMENT_CHARACTERS_MAX: Final = 5_000
COMMENTS_MAX: Final = 200
ENDORSEMENTS_MAX: Final = 500


class Comment(Struct, frozen=True):
    """What somebody said of an approval; `text` is empty once the subject is erased."""

    comment_id: str
    reviewer: str
    at_us: int
    text: str


class Remarks:
    """Writes and reads comments and endorsements."""

    def __init__(self, database: Database, keyring: Keyring, settings: ApprovalSettings) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings

    async def comment(self, tenant_id: str, approval_id: str, person: Person, text: str) -> str:
        """Add a comment, also to what is decided, and return its id. Raises `limit_exceeded`, `not_found`."""
        if not 0 < len(text) <= COMMENT_CHARACTERS_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"a comment has 1 to {COMMENT_CHARACTERS_MAX} characters")
        _, key = await self._look(tenant_id, approval_id)
        sealed, comment_id = key.seal(json.dumps(text).encode()), new_id("com")
        names = {"tenant_id": tenant_id, "approval_id": approval_id}

        async def body(tx: Transaction) -> None:
            known = await tx.one(_SQL["count_comments"], **names)
            if known and known["n"] >= COMMENTS_MAX:
                raise AirsideError(Code.LIMIT_EXCEEDED, f"an approval has at most {COMMENTS_MAX} comments")
            await tx.store(sealed)
            await tx.execute(
                _SQL["comment"],
                **names,
                comment_id=comment_id,
                reviewer=person.name,
                content=sealed.content_id,
                now_us=tx.now_us,
            )
            said = {"approval": approval_id, "comment": comment_id, "by": person.name}
            await tx.append(events.entry(events.APPROVAL_COMMENTED, said, tenant_id=tenant_id))

        await self._database.transact(body)
        return comment_id

    async def comments(self, tenant_id: str, approval_id: str) -> Sequence[Comment]:
        """Return the comments on an approval, the oldest first."""
        row, key = await self._look(tenant_id, approval_id)

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(
                _SQL["comments"], tenant_id=tenant_id, approval_id=approval_id, subject=row["subject"]
            )

        return [
            Comment(
                found["comment_id"],
                found["reviewer"],
                found["at_us"],
                json.loads(key.open(bytes(found["content"]), bytes(found["sealed"]))) if found["sealed"] else "",
            )
            for found in await self._database.read(body)
        ]

    async def endorse(self, tenant_id: str, approval_id: str, person: Person, argument: str) -> None:
        """Vouch for the value of a proposed argument (`lines.0.account`) in every call of the run.

        It may let the run's next such call pass without anybody, so it takes who may approve this one, alone. Raises
        `not_found` if there is no such argument, `conflict` if the approval is no longer pending, `forbidden`.
        """
        row, key = await self._look(tenant_id, approval_id)

        async def proposed(tx: Transaction) -> Row | None:
            return await tx.one(
                _RUNS["content"], tenant_id=tenant_id, subject=row["subject"], content_id=bytes(row["arguments"])
            )

        content = await self._database.read(proposed)
        arguments = json.loads(key.open(bytes(row["arguments"]), bytes(content["sealed"]))) if content else {}
        voucher = Voucher(argument, key.seal(canonical.encode(value_at(arguments, argument))))

        async def body(tx: Transaction) -> None:
            now = await tx.one(_APPROVALS["get"], tenant_id=tenant_id, approval_id=approval_id, now_us=tx.now_us)
            if now is None or now["state"] != "pending" or now["decide_by_us"] <= tx.now_us:
                raise AirsideError(Code.CONFLICT, "values are endorsed while their approval is pending")
            await ballots.admit(tx, now, person, self._settings, agrees=True)
            if now["required"] > 1:
                raise AirsideError(
                    Code.FORBIDDEN,
                    f"{now['required']} people must agree to this call, so nobody vouches for its values alone",
                    advice="Agree to the call, or to an edit of it: the values of an edit count as endorsed.",
                )
            known = await tx.one(_SQL["count_endorsed"], tenant_id=tenant_id, run_id=row["run_id"])
            if known and known["n"] >= ENDORSEMENTS_MAX:
                raise AirsideError(Code.LIMIT_EXCEEDED, f"a run has at most {ENDORSEMENTS_MAX} endorsed values")
            await ballots.vouch(tx, row, person, [voucher])

        await self._database.transact(body)

    async def endorsed(self, tenant_id: str, approval_id: str) -> list[dict[str, Any]]:
        """Return which arguments of an approval somebody vouched for."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            rows = await tx.fetch(_SQL["endorsed_of"], tenant_id=tenant_id, approval_id=approval_id)
            return [dict(row) for row in rows]

        return await self._database.read(body)

    async def _look(self, tenant_id: str, approval_id: str) -> tuple[Row, SubjectKey]:
        async def body(tx: Transaction) -> Row | None:
            return await tx.one(_APPROVALS["get"], tenant_id=tenant_id, approval_id=approval_id, now_us=tx.now_us)

        row = await self._database.read(body)
        if row is None:
            raise AirsideError(Code.NOT_FOUND, f"there is no approval {approval_id[:100]}")
        return row, await self._keyring.subject(tenant_id, row["subject"])


def value_at(arguments: Any, path: str) -> Any:
    """Return the value at a path of names and numbers, separated by dots; raises `not_found`."""
    value = arguments
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 6 and int(part) < len(value):
            value = value[int(part)]
        else:
            raise AirsideError(Code.NOT_FOUND, f"the proposed call has no argument {path[:100]}")
    return value
