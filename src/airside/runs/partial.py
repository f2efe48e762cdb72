"""What a run that a budget stopped, or that got nowhere, has come to: `{text, effects, reason}`.

Frameworks may swallow the refusal and return something: then the run has been stopped all the same, and what it
returned stands under `returned`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from airside.core import canonical
from airside.core.call import CallKind
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.journal.said import said
from airside.pipeline.answers import unpacked
from airside.runs.record import RunRecord
from airside.runs.verdicts import ENOUGH

_SQL = load("airside.runs", "held.sql")


class Stopped(Struct, frozen=True):
    """Why a run had to stop."""

    code: str
    message: str


async def compose(database: Database, keyring: Keyring, run: RunRecord, reason: str, *, returned: bytes = b"") -> bytes:
    """Return the partial result: the last thing the model said, the effects so far, and why the run was stopped."""

    async def body(tx: Transaction) -> tuple[Sequence[Row], Sequence[Row]]:
        answers = await tx.fetch(_SQL["last_answers"], tenant_id=run.tenant_id, run_id=run.run_id)
        return answers, await tx.fetch(_SQL["effects"], tenant_id=run.tenant_id, run_id=run.run_id)

    answers, effects = await database.read(body)
    text = ""
    for row in answers:
        key = await keyring.subject(run.tenant_id, run.subject)
        text = said(unpacked(key.open(bytes(row["content_id"]), bytes(row["sealed"])))[0]).text
        if text:
            break
    done = [{"call": row["call_id"], "tool": row["name"], "state": row["state"]} for row in effects]
    result: dict[str, Any] = {"text": text, "effects": done, "reason": reason}
    if returned:
        result["returned"] = msgspec.json.decode(returned)
    return canonical.encode(result)


async def stopped(database: Database, run: RunRecord) -> Stopped | None:
    """Return what stopped an attempt that has returned as if nothing were, or None if nothing did.

    It was stopped if the last that it was told by a model, or by anything, is that it may not go on.
    """

    async def body(tx: Transaction) -> Sequence[Row]:
        return await tx.fetch(_SQL["last_words"], tenant_id=run.tenant_id, run_id=run.run_id)

    rows = await database.read(body)
    told = [(row["type"], msgspec.json.decode(bytes(row["body"]))) for row in rows]
    told = [(type_, entry) for type_, entry in told if entry["attempt"] == run.attempt]
    last = told[:1] + [(type_, entry) for type_, entry in told if entry["kind"] == CallKind.MODEL][:1]
    for type_, entry in last:
        if type_ == events.CALL_REFUSED and entry["code"] in ENOUGH:
            return Stopped(entry["code"], entry["message"])
    return None
