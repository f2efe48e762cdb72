"""What bench-chaos tells of a run that violated a figure: attempts, calls, journal entries and effects, in order."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from airside.config.settings import DatabaseSettings
from airside.core.ports import Query, Row, Transaction
from airside.journal.backend import connect

_PARTS = (
    Query("run", "SELECT run_id, agent, state, code, message, attempt, crashes, created_us, ended_us FROM runs"),
    Query("attempt", "SELECT attempt, worker_id, started_us, ended_us, end_reason FROM attempts"),
    Query(
        "call",
        """SELECT call_id, kind, name, state, occurrence, consumed, delivered, attempt, try_number, executor_id, code,
        opened_us, closed_us FROM calls""",
    ),
    Query("entry", "SELECT entry_id, call_id, type, at_us, body FROM entries"),
)
_ORDER = {"run": "run_id", "attempt": "attempt", "call": "opened_us", "entry": "entry_id"}


async def stories(url: str, ledger: Path, runs: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines that tell of these runs, each given by its id and the task that the ledger knows it by."""
    backend = await connect(url, settings=DatabaseSettings(url=url), executor_id="bench")
    lines: list[str] = []
    try:
        for run_id, task in runs:
            for part in _PARTS:
                query = Query(part.name, f"{part.sql} WHERE run_id = :run_id ORDER BY {_ORDER[part.name]}")

                async def body(tx: Transaction, query: Query = query, run_id: str = run_id) -> Sequence[Row]:
                    return await tx.fetch(query, run_id=run_id)

                lines += [f"{task} {part.name} {_plain(row)}" for row in await backend.database.read(body)]
            with closing(sqlite3.connect(ledger)) as connection:
                effects = connection.execute("SELECT rowid, * FROM effects WHERE run = ? ORDER BY rowid", (task,))
                lines += [f"{task} effect {effect}" for effect in effects]
    finally:
        await backend.close()
    return lines


def _plain(row: Row) -> str:
    return " ".join(
        f"{name}={bytes(value).decode(errors='replace')}" if isinstance(value, bytes) else f"{name}={value}"
        for name, value in row.items()
    )
