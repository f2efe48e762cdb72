"""`airside secrets`: values go in, and never come out."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from airside.cli.exits import Exit, of_code
from airside.cli.main import app
from airside.core.errors import AirsideError
from tests.cli.conftest import Told

VALUE = "value-4Gk1zP0tQ9xW"
CONFIG = """
secrets:
  stores:
    sealed: {kind: encrypted, file: keep/secrets.enc, key_file: keep/secrets.key}
    files: {kind: file, folder: keep/files}
  grants:
    - {secret: "secret://sealed/github#token", tools: [open_issue], name: github}
    - {secret: "secret://files/team/*", tools: [fetch], arguments: [headers.Authorization], hosts: [api.example.com]}
providers:
  house: {kind: openai, api_key: "secret://sealed/openai", base_url: "http://127.0.0.1:9/v1"}
"""
Run = Callable[..., Told]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def airside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder of its own."""
    (tmp_path / "airside.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRSIDE_CONFIG", raising=False)

    def run(*arguments: str, stdin: str = "") -> Told:
        done = CliRunner().invoke(app, ["secrets", *arguments], input=stdin)
        assert VALUE not in done.output
        if isinstance(done.exception, AirsideError):
            return Told(int(of_code(done.exception.code)), done.stdout, done.stderr + str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Told(done.exit_code, done.stdout, done.stderr)

    return run


def test_what_is_named_is_listed(airside: Run) -> None:
    rows = airside("list", "--json").json["items"]
    assert {(row["handle"], row["store"], row["used_by"]) for row in rows} == {
        ("secret://files/team/*", "file", "tools fetch"),
        ("secret://sealed/github#token", "encrypted", "tools open_issue"),
        ("secret://sealed/openai", "encrypted", "providers.house.api_key"),
    }
    assert "secret://sealed/openai" in airside("list").out


def test_grants_are_told_by_secret_and_by_tool(airside: Run) -> None:
    first, second = airside("grants", "--json").json["items"]
    assert (first["secret"], first["tenants"]) == ("secret://sealed/github#token", ["default"])
    assert second["hosts"] == ["api.example.com"]
    named = airside("grants", "--tool", "open_issue", "--json").json["items"]
    assert named == [{"name": "github", "secret": "secret://sealed/github#token"}]
    assert "nothing by name" in airside("grants", "--tool", "other").err


def test_what_is_set_can_be_had_and_checked(airside: Run, tmp_path: Path) -> None:
    missing = airside("check", "--json")
    assert missing.code == Exit.FAILED
    assert airside("set", "secret://sealed/github#token", stdin=VALUE + "\n").code == 0
    assert airside("set", "secret://sealed/github#other", stdin="another " + VALUE).code == 0
    told = airside("check", "--json")
    assert told.code == Exit.FAILED
    assert {row["what"] for row in told.json["items"] if not row["ok"]} == {"secret://sealed/openai", "store files"}
    assert airside("set", "secret://sealed/openai", "--json", stdin=VALUE).code == 0
    (tmp_path / "keep" / "files").mkdir()
    assert airside("check").code == 0
    for file in (tmp_path / "keep").rglob("*"):
        assert file.is_dir() or VALUE.encode() not in file.read_bytes()


def test_a_plain_value_is_warned_of_and_a_short_one_refused(airside: Run) -> None:
    assert "plain" in airside("set", "secret://sealed/openai", stdin="ordinary words\n").err
    assert airside("set", "secret://sealed/openai", stdin="short\n").code == Exit.REFUSED
    assert airside("set", "secret://sealed/../openai", stdin=VALUE).code == Exit.REFUSED
    assert airside("set", "secret://nowhere/openai", stdin=VALUE).code == Exit.REFUSED


def test_rotation_tells_the_other_side_first(airside: Run, tmp_path: Path) -> None:
    airside("set", "secret://files/team/app", stdin=VALUE)
    file = tmp_path / "keep" / "files" / "team" / "app"
    refused = airside("rotate", "secret://files/team/app", "--command", "false")
    assert refused.code == Exit.REFUSED
    assert file.read_text() == VALUE
    assert airside("rotate", "secret://files/team/app", "--command", "tee told", "--length", "48").code == 0
    assert file.read_text() == (tmp_path / "told").read_text() != VALUE
    assert file.with_name("app.previous").read_text() == VALUE
    told = airside("rotate", "secret://files/team/app", "--json")
    assert json.loads(told.out) == {"handle": "secret://files/team/app", "rotated": True}
    assert file.read_text() not in told.out + told.err
    assert airside("rotate", "secret://files/team/app", "--command", "no-such-program").code == Exit.REFUSED
