"""Connections to one SQLite file: how they are set up, and why.

WAL lets readers go on while a batch is written; synchronous=FULL makes a commit survive a power cut; foreign keys are
off because the schema has none. On the event loop waiting for locks is never left to SQLite, which would sleep in it.
"""

import os
import sqlite3
import time
from pathlib import Path

from airside.journal.sqlite import failures

MEMORY = ":memory:"
POLL_S = 0.000_7  # short, so that a process that commits back to back cannot starve another
CACHE_KIB = 32_768
WAL_PAGES = 4_000  # pages of 4 KiB after which a commit, on its thread, copies the log into the file
WAL_BYTES_KEPT = 67_108_864


def open_writer(path: str, busy_timeout_s: float) -> sqlite3.Connection:
    """Return the one writing connection of this process; makes the file (mode 0600) if it is not there."""
    if path != MEMORY:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = _connect(path)
    patiently(connection, "PRAGMA journal_mode = WAL", busy_timeout_s)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = OFF",
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {WAL_PAGES}",
        f"journal_size_limit = {WAL_BYTES_KEPT}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: str, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection that cannot write; with a timeout of 0 it may be used on the event loop."""
    connection = _connect(path, busy_timeout_s)
    connection.execute("PRAGMA query_only = ON")
    return connection


def patiently(connection: sqlite3.Connection, statement: str, timeout_s: float) -> None:
    """Run a statement, polling while another process holds the lock; blocks, so not for the event loop."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute(statement).close()
            return
        except sqlite3.OperationalError as error:
            if not failures.is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


def _connect(path: str, busy_timeout_s: float = 0) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=512
    )
