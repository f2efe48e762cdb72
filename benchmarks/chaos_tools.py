"""Tools with effects in an outside ledger (an SQLite file named by LEDGER) that airside does not control."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from airside import ToolContext, tool

LINGER_S = 40
_SCHEMA = """
CREATE TABLE IF NOT EXISTS effects (tool TEXT NOT NULL, run TEXT NOT NULL, idempotency_key TEXT UNIQUE);
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


@tool(effect="read")
def look(run: str) -> str:
    """Read something."""
    return f"nothing new for {run}"


@tool(effect="write", idempotent=True)
def pay(run: str, note: str, context: ToolContext) -> str:
    """An effect that honours its idempotency key."""
    with _ledger() as ledger:
        row = ("pay", run, context.idempotency_key)
        ledger.execute("INSERT INTO effects VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
    return f"paid for {run} ({note})"


@tool(effect="write")
def post(run: str, note: str) -> str:
    """An effect that happens again each time it is asked for."""
    with _ledger() as ledger:
        ledger.execute("INSERT INTO effects VALUES (?, ?, NULL)", ("post", run))
    return f"posted for {run} ({note})"


@tool(effect="write", timeout_s=120)
def linger(run: str) -> str:
    """An effect that takes longer than anybody waits for it."""
    time.sleep(LINGER_S)
    return f"done for {run}"
