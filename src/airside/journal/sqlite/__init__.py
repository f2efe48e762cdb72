"""The journal and the transaction seam on SQLite."""

import asyncio
import sqlite3
import time

from airside.core.errors import AirsideError, Code
from airside.journal import migrate
from airside.journal.sqlite import connection as connections
from airside.journal.sqlite.database import SqliteDatabase
from airside.journal.sqlite.journal import SqliteJournal
from airside.journal.sqlite.transaction import SqliteTransaction, drive

DATABASE = "sqlite"


async def connect(path: str, *, executor_id: str, busy_timeout_s: float) -> tuple[SqliteDatabase, SqliteJournal]:
    """Open and migrate the file at `path` (`:memory:` for none) and return the ports on it.

    Raises AirsideError `journal_unavailable` if the file cannot be opened or is no database, `misconfigured` if a newer
    airside wrote it.
    """
    writer = await asyncio.to_thread(_open, path, busy_timeout_s)
    database = SqliteDatabase(writer, path, busy_timeout_s)
    return database, SqliteJournal(database, executor_id)


def _open(path: str, busy_timeout_s: float) -> sqlite3.Connection:
    writer: sqlite3.Connection | None = None
    try:
        writer = connections.open_writer(path, busy_timeout_s)
        connections.patiently(writer, "BEGIN IMMEDIATE", busy_timeout_s)
        _migrate(writer)
        writer.execute("COMMIT")
    except (sqlite3.Error, OSError, AirsideError) as error:
        if writer:
            writer.close()
        if isinstance(error, AirsideError):
            raise
        raise AirsideError(Code.JOURNAL_UNAVAILABLE, f"the database {path} cannot be opened: {error}") from error
    return writer


def _migrate(connection: sqlite3.Connection) -> None:
    async def run_script(script: str) -> None:
        # executescript() would commit first, so that a failed migration could stay half done.
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                connection.execute(statement)
                statement = ""

    tx = SqliteTransaction(connection, time.time_ns() // 1_000)
    drive(migrate.migrate(tx, run_script, migrate.known(DATABASE)))
