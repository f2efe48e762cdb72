"""One `airside up` as people start it, in a process of its own, for all CLI tests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from airside.cli.exits import of_code
from airside.cli.main import app
from airside.core.errors import AirsideError

ROOT = Path(__file__).parents[2]
CONFIG = f"""
server: {{port: 0}}
runs: {{isolation: inline, suspend_grace_s: 0.05}}
policy: {{file: policy.yaml}}
tools: {{modules: [tools], path: ["{ROOT}/tests/server"]}}
agents:
  hello: {{entry: "served_agents:hello", path: ["{ROOT}/tests/server"], model: any}}
  sleeper: {{entry: "served_agents:sleeper", path: ["{ROOT}/tests/server"]}}
  payer: {{entry: "served_agents:payer", path: ["{ROOT}/tests/server"], tools: [pay]}}
"""
POLICY = "rules: [{name: payments, then: ask, tools: [pay], because: a person looks at payments}]"


class Told(NamedTuple):
    """What a command said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON value on stdout."""
        return json.loads(self.out)


class Installation(NamedTuple):
    """A running installation: its folder, its first admin key, and the process."""

    folder: Path
    admin_key: str
    process: "subprocess.Popen[str]"


def environment() -> dict[str, str]:
    """The environment without anything of airside."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRSIDE_", "OPENAI_", "MODEL_"))}


def command(folder: Path, *arguments: str, timeout_s: float = 60, **env: str) -> Told:
    """Run the CLI as a process of its own, in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "airside", *arguments],
        cwd=folder,
        env=environment() | env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A freshly created installation that serves, on SQLite."""
    folder = tmp_path_factory.mktemp("installation")
    (folder / "airside.yaml").write_text(CONFIG)
    (folder / "policy.yaml").write_text(POLICY)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airside", "up", "--json"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "log").read_text()
    yield Installation(folder, json.loads(line)["admin_key"], process)
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def airside(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Run a command within this process, against the installation."""
    for name in list(os.environ):
        if name.startswith("AIRSIDE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(installation.folder)
    runner = CliRunner()

    def run(*arguments: str, **env: str) -> Told:
        done = runner.invoke(app, list(arguments), env=env)
        if isinstance(done.exception, AirsideError):
            return Told(int(of_code(done.exception.code)), done.stdout, done.stderr + str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Told(done.exit_code, done.stdout, done.stderr)

    return run


def leaf_commands() -> dict[str, Any]:
    """Every command by its whole name, as Typer has it."""
    root = get_command(app)
    found: dict[str, Any] = {}
    for name in root.list_commands(None):  # type: ignore[attr-defined]
        group = root.get_command(None, name)  # type: ignore[attr-defined]
        children = getattr(group, "commands", None)
        if children:
            found |= {f"{name} {child}": made for child, made in children.items()}
        else:
            found[name] = group
    return found
