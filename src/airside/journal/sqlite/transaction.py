"""A transaction on a SQLite connection. Nothing in it waits, so a body that awaits only it runs in one go."""

import sqlite3
from collections.abc import Awaitable, Sequence
from functools import cache
from typing import TypeVar

from airside.core.errors import AirsideError, Code
from airside.core.ports import Entry, Query, Row, Sealed
from airside.core.text import storable
from airside.journal import queries

T = TypeVar("T")

ADD_ENTRY = (
    "INSERT INTO entries (tenant_id, run_id, call_id, type, version, at_us, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
)
ADD_ANSWER = "INSERT OR IGNORE INTO answers (tenant_id, call_id, content_id, sealed) VALUES (?1, ?2, ?3, ?4)"
ADD_CONTENT = "INSERT OR IGNORE INTO contents (tenant_id, subject, content_id, sealed) VALUES (?1, ?2, ?3, ?4)"


@cache
def prepared(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with numbered parameters, and the names that fill them in order."""
    sql, names = queries.positional(query)
    return sql.replace("$", "?"), names


def drive(work: Awaitable[T]) -> T:
    """Run an awaitable that never really waits. Raises AirsideError `internal` if it does."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as done:
        value: T = done.value
        return value
    close = getattr(steps, "close", None)
    if close:
        close()
    raise AirsideError(Code.INTERNAL, "a transaction's body awaited something other than the transaction")


class SqliteTransaction:
    """Implements core.ports.Transaction on a connection that is inside BEGIN … COMMIT."""

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        self._connection = connection
        self._now_us = now_us
        self.touched_budgets = False

    @property
    def now_us(self) -> int:
        """The instant at which the transaction (or its batch) began."""
        return self._now_us

    async def fetch(self, query: Query, **parameters: object) -> Sequence[Row]:
        """Run a statement and return its rows as dicts."""
        cursor = self._run(query, parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    async def one(self, query: Query, **parameters: object) -> Row | None:
        """Run a statement and return its first row, or None. All rows are stepped, so RETURNING changes them all."""
        rows = await self.fetch(query, **parameters)
        return rows[0] if rows else None

    async def execute(self, query: Query, **parameters: object) -> int:
        """Run a statement and return how many rows it changed."""
        cursor = self._run(query, parameters)
        cursor.fetchall()
        return max(cursor.rowcount, 0)

    async def append(self, *entries: Entry) -> None:
        """Write entries to the journal."""
        self._connection.executemany(ADD_ENTRY, [entry_row(entry, self._now_us) for entry in entries])

    async def store(self, *contents: Sealed) -> None:
        """Store contents that are not there yet."""
        self._connection.executemany(ADD_CONTENT, [content_row(sealed) for sealed in contents])

    def _run(self, query: Query, parameters: dict[str, object]) -> sqlite3.Cursor:
        text = query.text("sqlite")
        sql, names = prepared(text)
        if parameters.keys() != set(names):
            raise AirsideError(Code.INTERNAL, f"{query.name} takes {sorted(names)}, not {sorted(parameters)}")
        self.touched_budgets |= "budgets" in text
        values = [parameters[name] for name in names]
        return self._connection.execute(sql, [storable(v) if isinstance(v, str) else v for v in values])


def entry_row(entry: Entry, at_us: int) -> tuple[object, ...]:
    """Return an entry as the parameters of ADD_ENTRY."""
    return entry.tenant_id, entry.run_id, entry.call_id, entry.type, entry.version, at_us, entry.body


def content_row(sealed: Sealed) -> tuple[object, ...]:
    """Return a content as the parameters of ADD_CONTENT."""
    return sealed.tenant_id, sealed.subject, sealed.content_id, sealed.blob
