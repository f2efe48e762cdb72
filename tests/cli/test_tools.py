"""`airside tools scan` and `check`: drafts say nothing by themselves, and what changed is found."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import yaml
from typer.testing import CliRunner

from airside.cli.exits import Exit, of_code
from airside.cli.main import app
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.manifest import ManifestFile, load_manifests
from tests.cli.conftest import Told

SERVERS = Path(__file__).parents[1] / "gateways" / "tools" / "servers"
CONFIG = """
tools:
  modules: [own]
  path: [.]
  manifests: [MANIFESTS]
  mcp:
    s: {{command: [{python}, {servers}/hostile.py, {mode}]}}
  openapi:
    shop: {{document: {servers}/shop.yaml, operations: ["*"]}}
"""
OWN = """
from airside import tool

@tool(effect="read")
def look(order_id: str) -> str:
    return order_id

@tool
def undeclared(to: str, amount: int) -> str:
    return to
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
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRSIDE_CONFIG", raising=False)

    def run(*arguments: str, mode: str = "plain", manifests: str = "") -> Told:
        text = CONFIG.format(python=sys.executable, servers=SERVERS, mode=mode).replace("MANIFESTS", manifests)
        (tmp_path / "airside.yaml").write_text(text)
        done = CliRunner().invoke(app, ["tools", *arguments])
        if isinstance(done.exception, AirsideError):
            return Told(int(of_code(done.exception.code)), done.stdout, done.stderr + str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Told(done.exit_code, done.stdout, done.stderr)

    return run


def test_a_scan_drafts_what_nobody_has_declared(airside: Run) -> None:
    told = airside("scan")
    assert told.code == Exit.OK
    drafted = yaml.safe_load(told.out)["tools"]
    assert not {entry["declared"] for entry in drafted.values()} - {False}
    assert drafted["host/undeclared"]["roles"] == {"to": "recipient", "amount": "amount"}
    assert "host/look" not in drafted, "the function says it itself"
    assert drafted["openapi:shop/getOrder"]["effect"] == "read"
    assert drafted["openapi:shop/DELETE /orders/{order_id}"]["effect"] == "write"
    assert drafted["mcp:s/act"]["effect"] == "execute"
    assert "# hint: its method is GET" in told.out
    assert "multipart" in told.err
    ManifestFile.model_validate(yaml.safe_load(told.out))
    only = yaml.safe_load(airside("scan", "--mcp", "s").out)["tools"]
    assert set(only) == {"mcp:s/act", "mcp:s/sum"}


def test_what_was_confirmed_is_checked_against_what_is_told_now(airside: Run, tmp_path: Path) -> None:
    assert airside("scan", "--mcp", "s", "--out", "tools.yaml").code == Exit.OK
    file = tmp_path / "tools.yaml"
    assert "File exists" in airside("scan", "--mcp", "s", "--out", "tools.yaml").err
    assert "mcp:s/act" in airside("scan", "--mcp", "s", "--json").json["draft"]
    assert airside("check", "--mcp", "s", manifests="tools.yaml").code == Exit.OK
    drafted = airside("check", "--mcp", "s", "--strict", "--json", manifests="tools.yaml")
    assert (drafted.code, {row["status"] for row in drafted.json["items"]}) == (Exit.FAILED, {"drafted"})
    file.write_text(file.read_text().replace("    declared: false\n", ""))
    assert airside("check", "--mcp", "s", "--strict", manifests="tools.yaml").code == Exit.OK
    text = file.read_text()
    file.write_text(text.replace(text.partition("fingerprint: ")[2][:71], "sha256:" + "0" * 64, 1))
    changed = airside("check", "--mcp", "s", manifests="tools.yaml")
    assert changed.code == Exit.FAILED
    assert "not what was confirmed" in changed.err
    away = airside("check", "--mcp", "s", mode="leaves", manifests="tools.yaml")
    assert (away.code, "licence" in away.err) == (Exit.FAILED, True)
    file.write_text(text + "  mcp:s/gone: {effect: read}\n")
    assert "no source has it" in airside("check", manifests="tools.yaml").err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tools: {mcp:s/act: {effect: raed}}", "1: tools.mcp:s/act.effect: Input should be 'read', 'write' or"),
        ("tools:\n  mcp:s/act: {effect: read, efect: x}", "2: tools.mcp:s/act.efect: this key is not known"),
        ("tools:\n  act: {effect: read}", "2: tools.act: `act` is no tool; write mcp:SERVER/TOOL"),
        ("tools:\n  mcp:s/act: {reversible: true}", "2: tools.mcp:s/act: a declared tool needs `effect`"),
        ("tools:\n  mcp:s/act: {effect: read}\n  mcp:s/act: {effect: write}", "3: key mcp:s/act stands twice"),
        ("tools:\n  mcp:s/*: {effect: read, fingerprint: 'sha256:" + "0" * 64 + "'}", "cannot share a fingerprint"),
        ("tools: [", "2: "),
    ],
)
def test_a_manifest_with_mistakes_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(AirsideError) as caught:
        load_manifests([file])
    assert caught.value.code is Code.MISCONFIGURED
    assert said in caught.value.message.replace(f"{file}:", "")
