"""What a run that a budget stopped has come to: `{text, effects, reason}`."""

import json
from collections.abc import Sequence
from typing import Any

from airside.core import canonical
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.journal.queries import load
from airside.runs.record import RunRecord

_SQL = load("airside.runs", "held.sql")


async def compose(database: Database, keyring: Keyring, run: RunRecord, reason: str) -> bytes:
    """Return the partial result: the last thing the model said, the effects so far, and why the run was stopped."""

    async def body(tx: Transaction) -> tuple[Row | None, Sequence[Row]]:
        last = await tx.one(_SQL["last_answer"], tenant_id=run.tenant_id, run_id=run.run_id, subject=run.subject)
        return last, await tx.fetch(_SQL["effects"], tenant_id=run.tenant_id, run_id=run.run_id)

    last, effects = await database.read(body)
    text = ""
    if last:
        key = await keyring.subject(run.tenant_id, run.subject)
        text = said(key.open(bytes(last["content_id"]), bytes(last["sealed"])))
    done = [{"call": row["call_id"], "tool": row["name"], "state": row["state"]} for row in effects]
    return canonical.encode({"text": text, "effects": done, "reason": reason})


def said(answer: bytes) -> str:
    """Return the text of a model's answer in the Chat Completions form, or nothing if it only called tools."""
    try:
        message: Any = json.loads(answer)["choices"][0]["message"]
        return str(message.get("content") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
