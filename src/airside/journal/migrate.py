"""The one migration runner, for both databases.

A migration is `NNNN_name.sql`, read by every database, followed by `NNNN_name.<database>.sql`; either may be missing.
Numbers start at 1 and none stands twice; one that comes later than a higher number is applied when it comes. The
backend calls `migrate` inside a transaction that holds a lock against other processes (SQLite: BEGIN IMMEDIATE;
Postgres: an advisory lock), so that two starts at once apply everything once.
"""

import re
from collections.abc import Awaitable, Callable
from importlib.resources import files

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.ports import Transaction
from airside.journal import queries

PACKAGE = "airside.journal.migrations"
_FILE = re.compile(r"^(\d{4})_(\w+?)(?:\.(sqlite|postgres))?\.sql$")
_SQL = queries.load("airside.journal", "migrate.sql")


class Migration(Struct, frozen=True):
    """One step of the schema; `script` holds its statements for one database."""

    number: int
    name: str
    script: str


def known(database: str, package: str = PACKAGE) -> tuple[Migration, ...]:
    """Return the migrations for `sqlite` or `postgres` in order; ValueError if one is doubled or the first missing."""
    found: dict[int, tuple[str, dict[str, str]]] = {}
    for file in files(package).iterdir():
        match = _FILE.match(file.name)
        if not match or match.group(3) not in {None, database}:
            continue
        number, name = int(match.group(1)), match.group(2)
        taken, parts = found.setdefault(number, (name, {}))
        if taken != name:
            raise ValueError(f"migration {number} stands twice: {taken} and {name}")
        parts[match.group(3) or ""] = file.read_text()
    if min(found, default=0) != 1:
        raise ValueError(f"migrations are numbered from 1: {sorted(found)}")
    return tuple(
        Migration(number, name, "\n".join(parts[key] for key in sorted(parts)))
        for number, (name, parts) in sorted(found.items())
    )


async def migrate(
    tx: Transaction, run_script: Callable[[str], Awaitable[None]], migrations: tuple[Migration, ...]
) -> int:
    """Bring a schema up to date inside `tx` and return how many migrations were applied.

    `run_script` runs several statements in the same transaction. Raises AirsideError `misconfigured` if the database
    was written by a newer airside, or by one whose migrations had other names.
    """
    await tx.execute(_SQL["create"])
    applied = {row["number"]: row["name"] for row in await tx.fetch(_SQL["applied"])}
    refuse_unknown(applied, migrations)
    missing = [migration for migration in migrations if migration.number not in applied]
    for migration in missing:
        await run_script(migration.script)
        await tx.execute(_SQL["record"], number=migration.number, name=migration.name, applied_us=tx.now_us)
    return len(missing)


def refuse_unknown(applied: dict[int, str], migrations: tuple[Migration, ...]) -> None:
    """Raise AirsideError `misconfigured` if a schema holds what this version of airside does not know."""
    names = {migration.number: migration.name for migration in migrations}
    for number, name in sorted(applied.items()):
        if number not in names:
            raise AirsideError(
                Code.MISCONFIGURED,
                f"the database has schema {max(applied)}; this airside knows schemas up to {max(names, default=0)}",
                advice="Start the airside version that upgraded this database, or restore a backup made before.",
            )
        if names[number] != name:
            raise AirsideError(
                Code.MISCONFIGURED,
                f"schema {number} of the database is {name!r}; this airside calls it {names[number]!r}",
                advice="Point database.url at a database that this version of airside has made.",
            )
