"""No statement of the product reads a growing table from end to end: SQLite is asked how it would run each."""

import re
import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest

from airside.journal import queries
from airside.journal.sqlite import connect
from airside.journal.sqlite.transaction import prepared

GROWING = {"entries", "calls", "contents", "answers"}
READ_WHOLE = {
    "fsck.sql",  # an audit reads everything
    "testing.sql",  # the doubles hold no more than a test's worth
}
LONG_READS = {
    ("routing.sql", "spend"),  # a report over all calls of a tenant
    ("past.sql", "calls"),  # an operator puts a tenant's past to other rules, page by page
}
_STEP = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY)(?: \((.*)\))?)?")
_ALIAS = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: (?:AS )?(?!WHERE|SET|ON|JOIN|ORDER|LEFT|CROSS|GROUP)(\w+))?")


def _statements() -> list[tuple[str, str, str]]:
    root = Path(str(files("airside")))
    found = []
    for path in sorted(root.rglob("*.sql")):
        if path.parent.name not in {"migrations", "postgres"} and path.name not in READ_WHOLE:
            package = ".".join(("airside", *path.parent.relative_to(root).parts))
            loaded = queries.load(package, path.name).items()
            texts = [(path.name, name, query.text("sqlite")) for name, query in loaded]
            found += [text for text in texts if "{" not in text[2]]  # a template is no statement yet
    return found


def _long_steps(connection: sqlite3.Connection, text: str) -> list[str]:
    """Return the steps of a statement's plan that read a growing table, or all that a tenant has in one."""
    sql, names = prepared(text)
    tables = {alias or table: table for table, alias in _ALIAS.findall(sql)}
    steps = []
    for *_, detail in connection.execute("EXPLAIN QUERY PLAN " + sql, [None] * len(names)):
        step = _STEP.match(detail)
        if step is None or tables.get(step[2], step[2]) not in GROWING:
            continue
        small = step[3] == "calls_open" or (step[1] == "SEARCH" and step[4] != "tenant_id=?")
        if not small:
            steps.append(detail)
    return steps


@pytest.fixture
async def schema(tmp_path: Path) -> sqlite3.Connection:
    """A database with the product's schema."""
    database, _ = await connect(str(tmp_path / "a.db"), executor_id="x", busy_timeout_s=5)
    await database.close()
    return sqlite3.connect(tmp_path / "a.db")


async def test_statements_over_growing_tables_find_what_they_read_by_an_index(schema: sqlite3.Connection) -> None:
    found = {(file, name): _long_steps(schema, text) for file, name, text in _statements()}
    assert {key: steps for key, steps in found.items() if steps and key not in LONG_READS} == {}
    schema.close()


async def test_a_long_read_is_noticed(schema: sqlite3.Connection) -> None:
    for sql in ("SELECT * FROM entries WHERE run_id = :run_id", "SELECT * FROM calls c WHERE c.tenant_id = :tenant_id"):
        assert _long_steps(schema, sql)
    schema.close()
