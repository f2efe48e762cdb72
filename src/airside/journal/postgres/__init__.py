"""The journal and the transaction seam on Postgres."""

import asyncio
from typing import Any

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.journal import migrate
from airside.journal.postgres import connections, failures
from airside.journal.postgres.database import PATIENCE_S, PostgresDatabase
from airside.journal.postgres.failures import Fate
from airside.journal.postgres.journal import PostgresJournal
from airside.journal.postgres.transaction import SQL, PostgresTransaction
from airside.journal.postgres.writer import Writer

DATABASE = "postgres"


async def connect(
    url: str, *, settings: DatabaseSettings, executor_id: str
) -> tuple[PostgresDatabase, PostgresJournal]:
    """Connect to `url`, migrate, and return the ports on it.

    Raises AirsideError `journal_unavailable` if the server cannot be reached within PATIENCE_S, `misconfigured` if the
    url is not usable or a newer airside wrote the schema.
    """
    connection = await _first(url)
    try:
        async with connection.transaction():
            await connection.execute(SQL["lock_schema"].sql)
            tx = PostgresTransaction(connection, await connection.fetchval(SQL["now"].sql))
            await migrate.migrate(tx, connection.execute, migrate.known(DATABASE))
    except AirsideError:
        raise
    except Exception as error:
        raise AirsideError(Code.JOURNAL_UNAVAILABLE, f"the schema cannot be brought up to date: {error}") from error
    finally:
        await connection.close()
    writer = Writer(url, PATIENCE_S)
    database = PostgresDatabase(await connections.pool(url, settings.pool_connections_max), writer)
    return database, PostgresJournal(database, writer, executor_id)


async def _first(url: str) -> Any:
    """Connect for the first time; a server that is just starting is waited for."""
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await connections.connect(url)
        except Exception as error:
            if failures.fate(error, closed=False) is Fate.BLAMED:
                raise AirsideError(
                    Code.MISCONFIGURED, f"database.url cannot be used: {type(error).__name__}: {error}"
                ) from error
            if asyncio.get_running_loop().time() > deadline_s:
                raise failures.unavailable(error) from error
        await asyncio.sleep(0.1)
