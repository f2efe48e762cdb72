"""Proposals that are known to be bad, put among the others at a set rate to measure who notices.

They come from a file, or are past proposals that a person denied. They look like the others until they are decided, and
they cannot be executed: they stand in a table that the pipeline never reads, and no run has the id that they show.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct

from airside.config.approvals import ApprovalSettings
from airside.config.bounded_files import read_bounded
from airside.core import canonical
from airside.core.call import Effect
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.policy import Decision, Reason, Verdict
from airside.core.ports import Database, Keyring, Row, Sealed, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.runs.reviewing import chain
from airside.runs.reviewing.ballot import APPROVED, Ballot
from airside.runs.reviewing.intake import tell
from airside.runs.reviewing.risk import factors, rank_us

_SQL = load("airside.runs.reviewing", "seeds.sql")
_log = structlog.get_logger(__name__)
_SYSTEM = random.SystemRandom()  # what comes next is nothing that a reviewer could work out

SUBJECT: Final = "seeded-proposals"
FILE_BYTES_MAX: Final = 4_194_304
PROPOSALS_MAX: Final = 1_000
DENIED_MAX: Final = 200


class Proposal(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the file: a call that no reviewer should approve. `rule` and `because` are what asked for a person."""

    agent: str
    tool: str
    arguments: dict[str, Any]
    rule: str
    because: str = ""
    effect: Effect = Effect.WRITE
    reversible: bool = False


def read(file: Path) -> tuple[Proposal, ...]:
    """Return the proposals of a file of JSON lines; raises `misconfigured`, naming the line."""
    found = []
    for number, line in enumerate(read_bounded(file, FILE_BYTES_MAX).splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Proposal))
        except msgspec.DecodeError as error:
            raise AirsideError(Code.MISCONFIGURED, f"approvals.seeds.file {file}:{number}: {error}") from None
    if not 0 < len(found) <= PROPOSALS_MAX:
        raise AirsideError(Code.MISCONFIGURED, f"approvals.seeds.file {file} needs 1 to {PROPOSALS_MAX} proposals")
    return tuple(found)


class Seeds:
    """Puts bad proposals into the queue and takes their decisions."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: ApprovalSettings,
        decide_by_s: float,
        draw: Callable[[], float] = _SYSTEM.random,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._decide_by_us = int(decide_by_s * SECOND_US)
        self._draw = draw
        self._proposals = read(settings.seeds.file) if settings.seeds.file else ()

    async def perhaps(self, tenant_id: str) -> str:
        """Plant one at the set rate, after a real proposal; return its id, or nothing. Never fails the proposal."""
        if self._draw() >= self._settings.seeds.rate:
            return ""
        try:
            return await self.plant(tenant_id)
        except AirsideError as error:
            _log.warning("no known-bad proposal was planted", code=error.code.value)
            return ""

    async def plant(self, tenant_id: str) -> str:
        """Put a bad proposal into the queue, to be seen at a random time soon; return its id, or nothing to choose."""
        delay_us = int(self._draw() * self._settings.seeds.delay_s * SECOND_US)
        if self._proposals:
            proposal = self._proposals[int(self._draw() * len(self._proposals))]
            sealed = (await self._keyring.subject(tenant_id, SUBJECT)).seal(canonical.encode(proposal.arguments))
            return await self._database.transact(
                lambda tx: self._add(tx, tenant_id, _of_file(proposal, sealed), delay_us, sealed)
            )

        async def denied(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["denied"], tenant_id=tenant_id, n=DENIED_MAX)

        rows = await self._database.read(denied)
        if not rows:
            return ""
        row = rows[int(self._draw() * len(rows))]
        return await self._database.transact(lambda tx: self._add(tx, tenant_id, dict(row), delay_us, None))

    async def _add(
        self, tx: Transaction, tenant_id: str, columns: dict[str, Any], delay_us: int, sealed: Sealed | None
    ) -> str:
        if sealed:
            await tx.store(sealed)
        approval_id, requested_us = new_id("apr"), tx.now_us + delay_us
        place = chain.begin(self._settings.escalation, requested_us, escalated=columns["floor"] > 0)
        await tx.execute(
            _SQL["add"],
            **columns
            | msgspec.structs.asdict(place)
            | {
                "tenant_id": tenant_id,
                "approval_id": approval_id,
                "run_id": new_id("run"),
                "requested_us": requested_us,
                "decide_by_us": requested_us + self._decide_by_us,
                "rank_us": rank_us(requested_us, columns["risk"]),
            },
        )
        told = [
            (number + 1, target)
            for number in range(place.floor, place.step)
            for target in self._settings.escalation[number].notify
        ]
        await tell(tx, tenant_id, approval_id, told, requested_us)
        body = {"approval": approval_id, "tool": columns["tool"], "agent": columns["agent"]}
        await tx.append(events.entry(events.APPROVAL_SEEDED, body, tenant_id=tenant_id))
        return approval_id


async def decide(tx: Transaction, row: Row, ballot: Ballot) -> bool:
    """Write a decision on a bad proposal, which lets nothing happen; return whether nobody was faster.

    Approving one without a change is a miss. An edit may have mended what was wrong, so it counts as noticed.
    """
    won = await tx.execute(
        _SQL["decide"],
        tenant_id=row["tenant_id"],
        approval_id=row["approval_id"],
        state=ballot.state,
        reason=ballot.reason,
        decided_by=ballot.person.name,
        edited_arguments=ballot.edit.content_id if ballot.edit else None,
        now_us=tx.now_us,
    )
    if won:
        if ballot.edit:
            await tx.store(ballot.edit)
        caught = ballot.state != APPROVED or ballot.edit is not None
        body = {"approval": row["approval_id"], "state": ballot.state, "by": ballot.person.name, "caught": caught}
        await tx.append(events.entry(events.APPROVAL_SEED_DECIDED, body, tenant_id=row["tenant_id"]))
    return bool(won)


async def expire(tx: Transaction) -> int:
    """Expire those that nobody decided in time; nobody is measured by them."""
    return await tx.execute(_SQL["expire"], now_us=tx.now_us)


def _of_file(proposal: Proposal, sealed: Sealed) -> dict[str, Any]:
    points = factors(proposal.effect, reversible=proposal.reversible, amount=None)
    reason = Reason(proposal.rule, Verdict.ASK, proposal.because)
    tool = hashlib.sha256(canonical.encode([proposal.agent, proposal.tool])).digest()
    return {
        "source_run_id": "",
        "source_us": 0,
        "agent": proposal.agent,
        "subject": SUBJECT,
        "labels": "{}",
        "tool": proposal.tool,
        "arguments": sealed.content_id,
        "decision": json.dumps(msgspec.to_builtins(Decision(Verdict.ASK, (reason,), "pol_" + tool.hex()[:32]))),
        "risk": sum(points.values()),
        "about": json.dumps({"factors": dict(points)}),
        "tool_hash": None,
        "required": 1,
        "floor": 0,
        "confidence": None,
        "calibrated": None,
    }
