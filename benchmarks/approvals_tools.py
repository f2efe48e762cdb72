"""Tools whose effects stand in an outside ledger (an SQLite file named by LEDGER): which item, and how much."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

from airside import ToolContext, TransientError, tool
from airside.core.errors import Code

_SCHEMA = """
CREATE TABLE effects (run TEXT NOT NULL, item INTEGER NOT NULL, amount INTEGER NOT NULL, idempotency_key TEXT UNIQUE);
CREATE TABLE stumbles (idempotency_key TEXT PRIMARY KEY);
"""


def create(path: Path) -> None:
    """Make an empty ledger."""
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute("PRAGMA journal_mode=WAL")
        ledger.executescript(_SCHEMA)


@contextmanager
def _ledger() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(os.environ["LEDGER"], timeout=30)) as ledger, ledger:
        yield ledger


@tool(effect="write", idempotent=True, amount="amount")
def settle(run: str, item: int, amount: int, context: ToolContext) -> str:
    """An effect that honours its idempotency key; every fourth call fails the first time, so that it is retried."""
    key = context.idempotency_key
    with _ledger() as ledger:
        if crc32(f"{run}/{item}".encode()) % 4 == 0:
            first = ledger.execute("INSERT INTO stumbles VALUES (?) ON CONFLICT DO NOTHING", (key,)).rowcount
            if first:
                ledger.commit()
                raise TransientError(Code.UPSTREAM_FAILED, "the bank is busy")
        row = (run, item, amount, key)
        ledger.execute("INSERT INTO effects VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
    return "settled"


@tool(effect="write", amount="amount")
def wire(run: str, item: int, amount: int) -> str:
    """An effect that happens again each time it is asked for."""
    with _ledger() as ledger:
        ledger.execute("INSERT INTO effects VALUES (?, ?, ?, NULL)", (run, item, amount))
    return "wired"
