"""Migrations: applied once in order, by whoever comes first, and never under a newer schema."""

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Query
from airside.journal import migrate
from airside.journal.backend import Backend, connect
from airside.journal.migrate import Migration
from tests.journal import world

PROCESSES = 4


def test_both_databases_number_the_same_migrations() -> None:
    lite, postgres = migrate.known("sqlite"), migrate.known("postgres")
    assert [(one.number, one.name) for one in lite] == [(one.number, one.name) for one in postgres]
    assert lite[0].number == 1
    assert "AUTOINCREMENT" in lite[0].script
    assert "AUTOINCREMENT" not in postgres[0].script


def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, str]) -> str:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for file, text in files.items():
        (folder / file).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_shared_statements_come_before_the_databases_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "0001_a.sql": "one",
        "0001_a.sqlite.sql": "two",
        "0001_a.postgres.sql": "three",
        "0002_b.sqlite.sql": "four",
    }
    package = _package(tmp_path, monkeypatch, "migrations_in_order", files)
    assert migrate.known("sqlite", package) == (Migration(1, "a", "one\ntwo"), Migration(2, "b", "four"))
    assert migrate.known("postgres", package) == (Migration(1, "a", "one\nthree"),)


@pytest.mark.parametrize("files", [{"0002_b.sql": ""}, {"0001_a.sql": "", "0001_b.sql": ""}])
def test_doubles_and_a_missing_first_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    package = _package(tmp_path, monkeypatch, f"migrations_bad_{abs(hash(tuple(files)))}", files)
    with pytest.raises(ValueError):
        migrate.known("sqlite", package)


async def _start(url: str) -> int:
    path = url.removeprefix("sqlite:///")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.journal.writing", "migrate", path)
    return await asyncio.wait_for(process.wait(), 60)


async def test_processes_that_start_at_once_migrate_once(url: str) -> None:
    if url == "memory:":
        pytest.skip("a database in memory has one process")
    assert await asyncio.gather(*[_start(url) for _ in range(PROCESSES)]) == [0] * PROCESSES
    backend = await connect(url, settings=DatabaseSettings(), executor_id="gw-1")
    applied = await world.fetch(backend.database, "migrations")
    assert [row["number"] for row in applied] == [one.number for one in migrate.known("sqlite")]
    await backend.close()


async def _again(backend: Backend, url: str, statement: str) -> AirsideError:
    await backend.database.transact(lambda tx: tx.execute(Query("test:schema", statement)))
    await backend.close()
    with pytest.raises(AirsideError) as refused:
        await connect(url, settings=DatabaseSettings(), executor_id="gw-1")
    return refused.value


async def test_a_newer_schema_is_refused(backend: Backend, url: str) -> None:
    if url == "memory:":
        pytest.skip("a database in memory is never newer")
    error = await _again(backend, url, "INSERT INTO schema_migrations VALUES (99, 'future', 1)")
    assert error.code is Code.MISCONFIGURED
    assert "99" in error.message
    assert "backup" in error.advice


async def test_a_schema_of_other_names_is_refused(backend: Backend, url: str) -> None:
    if url == "memory:":
        pytest.skip("a database in memory is never another's")
    error = await _again(backend, url, "UPDATE schema_migrations SET name = 'theirs' WHERE number = 1")
    assert error.code is Code.MISCONFIGURED
    assert "theirs" in error.message


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Migration(1, "bad", "CREATE TABLE half (a);\nCREATE TABLE half (a);\n")
    monkeypatch.setattr(migrate, "known", lambda database: (bad,))
    with pytest.raises(AirsideError) as refused:
        await connect(f"sqlite:///{tmp_path}/journal.db", settings=DatabaseSettings(), executor_id="gw-1")
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    connection = sqlite3.connect(tmp_path / "journal.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
