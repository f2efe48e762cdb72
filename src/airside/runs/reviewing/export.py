"""What reviewers rejected or corrected, as cases for evaluation: what was asked, proposed, and what was right (F8)."""

import json
from collections.abc import Sequence
from typing import Any, Final

from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.journal.queries import load
from airside.runs.cursor import BEGINNING, PAGE_MAX, cursor_of, place_of

_SQL = load("airside.runs.reviewing", "export.sql")
_RUNS = load("airside.runs", "runs.sql")

VERSION: Final = 1


class Export:
    """Reads decided proposals as cases."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def page(self, tenant_id: str, *, cursor: str = "", limit: int = 50) -> tuple[list[dict[str, Any]], str]:
        """Return cases in the order of their decisions, and the cursor of the next page; erased ones are left out."""
        from_us, from_id = place_of(cursor, BEGINNING)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> tuple[Sequence[Row], dict[tuple[str, bytes], bytes]]:
            rows = await tx.fetch(_SQL["rejected"], tenant_id=tenant_id, from_us=from_us, from_id=from_id, n=size + 1)
            blobs = {}
            for row in rows[:size]:
                for name in _names(row):
                    content = await tx.one(
                        _RUNS["content"], tenant_id=tenant_id, subject=row["subject"], content_id=name
                    )
                    if content:
                        blobs[row["subject"], name] = bytes(content["sealed"])
            return rows, blobs

        rows, blobs = await self._database.read(body)
        cases = []
        for row in rows[:size]:
            try:
                key = await self._keyring.subject(tenant_id, row["subject"])
            except AirsideError as error:
                if error.code is Code.NOT_FOUND:
                    continue
                raise
            cases.append(_case(row, key, blobs))
        last = rows[size - 1] if len(rows) > size else None
        return cases, cursor_of(last["decided_us"], last["approval_id"]) if last else ""


def _names(row: Row) -> list[bytes]:
    return [bytes(row[name]) for name in ("input", "arguments", "edited_arguments") if row[name]]


def _case(row: Row, key: SubjectKey, blobs: dict[tuple[str, bytes], bytes]) -> dict[str, Any]:
    def opened(column: str) -> Any:
        name = bytes(row[column] or b"")
        blob = blobs.get((row["subject"], name))
        return json.loads(key.open(name, blob)) if blob else None

    return {
        "version": VERSION,
        "id": row["approval_id"],
        "agent": row["agent"],
        "release": row["release"],
        "run": row["run_id"],
        "input": opened("input"),
        "rejected": {"tool": row["tool"], "arguments": opened("arguments")},
        "expected": {"tool": row["tool"], "arguments": opened("edited_arguments")} if row["edited_arguments"] else None,
        "verdict": "edited" if row["edited_arguments"] else "denied",
        "reason": row["reason"],
        "rules": [reason["rule"] for reason in json.loads(row["decision"])["reasons"]],
        "decided_by": row["decided_by"],
        "decided_us": row["decided_us"],
    }
