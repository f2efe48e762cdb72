"""Statements from `.sql` files: named, with variants, and with parameters for both drivers."""

from pathlib import Path

import pytest

from airside.journal import queries

FILE = """-- name: plain
-- A sentence.
SELECT a FROM t WHERE b = :b AND c = :c AND d = :b;

-- name: two (sqlite)
SELECT 1

-- name: two (postgres)
SELECT '{}'::json
"""


def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "some.sql").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_statements_and_their_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = queries.load(_package(tmp_path, monkeypatch, "package_with_sql", FILE), "some.sql")
    assert loaded["plain"].text("sqlite") == "SELECT a FROM t WHERE b = :b AND c = :c AND d = :b"
    assert loaded["plain"].name == "some.sql:plain"
    assert (loaded["two"].text("sqlite"), loaded["two"].text("postgres")) == ("SELECT 1", "SELECT '{}'::json")


@pytest.mark.parametrize("text", ["-- name: a\n", "-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n"])
def test_empty_and_doubled_statements_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    package = _package(tmp_path, monkeypatch, f"package_bad_{len(text)}", text)
    with pytest.raises(ValueError):
        queries.load(package, "some.sql")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = :a AND b = :b OR c = :a", ("a = $1 AND b = $2 OR c = $1", ("a", "b"))),
        ("a::json = :a", ("a::json = $1", ("a",))),
        ("SELECT 1", ("SELECT 1", ())),
    ],
)
def test_positional_parameters(sql: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert queries.positional(sql) == expected
