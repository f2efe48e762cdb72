"""A transaction on a Postgres connection, speaking in the queries and rows of core's port."""

from collections.abc import Iterable, Sequence
from typing import Any

from airside.core.errors import AirsideError, Code
from airside.core.ports import Entry, Query, Row, Sealed
from airside.core.text import storable
from airside.journal import queries

SQL = queries.load(__package__, "transaction.sql")


def bound(query: Query, parameters: dict[str, object]) -> tuple[str, list[object]]:
    """Return a statement and its parameters in order, text as Postgres can hold it.

    Raises AirsideError `internal` if their names do not match.
    """
    sql, names = queries.positional(query.text("postgres"))
    if parameters.keys() != set(names):
        raise AirsideError(Code.INTERNAL, f"{query.name} takes {sorted(names)}, not {sorted(parameters)}")
    values = [parameters[name] for name in names]
    return sql, [storable(value) if isinstance(value, str) else value for value in values]


def columns(rows: Sequence[tuple[object, ...]], width: int) -> Iterable[list[object]]:
    """Return rows as `width` columns, for unnest()."""
    if not rows:
        return [[] for _ in range(width)]
    return [list(column) for column in zip(*rows, strict=True)]


def entry_columns(entries: Sequence[Entry]) -> dict[str, object]:
    """Return entries as the array parameters of `append`."""
    rows = [(e.tenant_id, storable(e.run_id), e.call_id, e.type, e.version, e.body) for e in entries]
    names = ("tenant_ids", "run_ids", "call_ids", "types", "versions", "bodies")
    return dict(zip(names, columns(rows, len(names)), strict=True))


def content_columns(contents: Sequence[Sealed]) -> dict[str, object]:
    """Return contents as the array parameters of `store`."""
    rows = [(c.tenant_id, c.subject, c.content_id, c.blob) for c in contents]
    names = ("tenant_ids", "subjects", "content_ids", "blobs")
    return dict(zip(names, columns(rows, len(names)), strict=True))


class PostgresTransaction:
    """Implements core.ports.Transaction on a connection that is inside BEGIN … COMMIT."""

    def __init__(self, connection: Any, now_us: int) -> None:
        self._connection = connection
        self._now_us = now_us

    @property
    def now_us(self) -> int:
        """The database's clock when the transaction began."""
        return self._now_us

    async def fetch(self, query: Query, **parameters: object) -> Sequence[Row]:
        """Run a statement and return its rows as dicts."""
        sql, values = bound(query, parameters)
        return [dict(row) for row in await self._connection.fetch(sql, *values)]

    async def one(self, query: Query, **parameters: object) -> Row | None:
        """Run a statement and return its first row, or None."""
        rows = await self.fetch(query, **parameters)
        return rows[0] if rows else None

    async def execute(self, query: Query, **parameters: object) -> int:
        """Run a statement and return how many rows it changed."""
        sql, values = bound(query, parameters)
        status: str = await self._connection.execute(sql, *values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def append(self, *entries: Entry) -> None:
        """Write entries to the journal."""
        if entries:
            await self.execute(SQL["append"], now_us=self._now_us, **entry_columns(entries))

    async def store(self, *contents: Sealed) -> None:
        """Store contents that are not there yet."""
        if contents:
            await self.execute(SQL["store"], **content_columns(contents))
