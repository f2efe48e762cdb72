"""The evidence for a proposal: what the model said before it, and what the run had done and read by then (F5, C14).

Everything comes from the journal and is unsealed for reviewers only. What a run has read is untrusted text: it is data
to be shown, never anything to be followed.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.journal.queries import load
from airside.pipeline.answers import unpacked
from airside.runs.reviewing.reasoning import reasoning

_SQL = load("airside.runs.reviewing", "evidence.sql")
_APPROVALS = load("airside.runs", "approvals.sql")
_RUNS = load("airside.runs", "runs.sql")

CALLS_MAX: Final = 50
TEXT_CHARACTERS_MAX: Final = 4_000


class Read(Struct, frozen=True, kw_only=True):
    """One call that the run made before: its arguments and the beginning of what came back."""

    call_id: str
    tool: str
    state: str
    at_us: int
    arguments: Any
    result: str
    cut: bool


class Dossier(Struct, frozen=True, kw_only=True):
    """What a proposal came of. `task` is what the run was asked; `calls` are the latest ones, the oldest first."""

    approval_id: str
    task: Any
    reasoning: str
    calls: Sequence[Read]


class Evidence:
    """Puts dossiers together."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def of(self, tenant_id: str, approval_id: str) -> Dossier:
        """Return the dossier of an approval; raises `not_found`."""

        async def body(tx: Transaction) -> tuple[Row, Row | None, Row | None, Sequence[Row], dict[bytes, bytes]]:
            row = await tx.one(_APPROVALS["get"], tenant_id=tenant_id, approval_id=approval_id, now_us=tx.now_us)
            if row is None:
                raise AirsideError(Code.NOT_FOUND, f"there is no approval {approval_id[:100]}")
            before = {"tenant_id": tenant_id, "run_id": row["source_run_id"], "before_us": row["source_us"]}
            calls = await tx.fetch(_SQL["calls"], **before, n=CALLS_MAX)
            names = [name for call in calls for name in _named(call)]
            contents = {}
            for name in dict.fromkeys(names):
                content = await tx.one(_RUNS["content"], tenant_id=tenant_id, subject=row["subject"], content_id=name)
                if content:
                    contents[name] = bytes(content["sealed"])
            task = await tx.one(_SQL["task"], tenant_id=tenant_id, run_id=row["source_run_id"])
            return row, await tx.one(_SQL["model"], **before), task, calls, contents

        row, model, task, calls, contents = await self._database.read(body)
        key = await self._keyring.subject(tenant_id, row["subject"])
        return Dossier(
            approval_id=approval_id,
            task=json.loads(key.open(bytes(task["input"]), bytes(task["sealed"]))) if task else None,
            reasoning=reasoning(unpacked(_opened(key, model))[0]) if model else "",
            calls=[_read(call, key, contents) for call in reversed(calls)],
        )


def _named(call: Row) -> list[bytes]:
    """Return the content ids of a call's request, from its intent."""
    return [bytes.fromhex(name) for name in json.loads(bytes(call["body"]))["request"]] if call["body"] else []


def _opened(key: SubjectKey, row: Row) -> bytes:
    return key.open(bytes(row["outcome"]), bytes(row["sealed"])) if row["sealed"] else b""


def _read(call: Row, key: SubjectKey, contents: dict[bytes, bytes]) -> Read:
    pieces = [key.open(name, contents[name]) for name in _named(call) if name in contents]
    answer, words = unpacked(_opened(key, call))
    text = words or answer.decode(errors="replace")
    return Read(
        call_id=call["call_id"],
        tool=call["name"],
        state=call["state"],
        at_us=call["opened_us"],
        arguments=json.loads(pieces[0]) if pieces else None,
        result=text[:TEXT_CHARACTERS_MAX],
        cut=len(text) > TEXT_CHARACTERS_MAX,
    )
