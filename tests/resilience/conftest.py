"""Two processes on one database of each kind, and operators who listen."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.ports import Database, Query, Transaction
from airside.journal.backend import connect


class Operators:
    """Implements `Notices` by remembering."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append((tenant_id, kind, body))

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.told]


async def sql(database: Database, text: str, **parameters: object) -> list[dict[str, Any]]:
    """Run a statement of the test itself."""

    async def body(tx: Transaction) -> list[dict[str, Any]]:
        return [dict(row) for row in await tx.fetch(Query("test", text), **parameters)]

    return await database.transact(body)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of an empty database of each kind."""
    return (
        f"sqlite:///{tmp_path / 'airside.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


@pytest.fixture
async def databases(url: str) -> AsyncIterator[tuple[Database, Database]]:
    """One database as two processes have it."""
    async with AsyncExitStack() as stack:
        found = []
        for name in ("one", "two"):
            backend = await connect(url, settings=DatabaseSettings(), executor_id=name)
            stack.push_async_callback(backend.close)
            found.append(backend.database)
        yield found[0], found[1]


@pytest.fixture
async def database(databases: tuple[Database, Database]) -> Database:
    return databases[0]


@pytest.fixture
def operators() -> Operators:
    return Operators()
