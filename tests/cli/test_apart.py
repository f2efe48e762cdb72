"""Gateway, API and worker as processes of their own on one Postgres: a run goes through all three."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airside.cli.exits import Exit
from tests.cli.conftest import ROOT, command, environment

Start = Callable[..., dict[str, Any]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start roles in a folder, and end them all."""
    processes: list[subprocess.Popen[str]] = []

    def one(role: str, **env: str) -> dict[str, Any]:
        with (tmp_path / f"{role}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airside", "serve", role, "--port", "0", "--json"],
                cwd=tmp_path,
                env=environment() | env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (tmp_path / f"{role}.log").read_text()
        told: dict[str, Any] = json.loads(line)
        return told

    yield one
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)
        if process.stdout:
            process.stdout.close()


@pytest.mark.postgres
def test_three_processes_serve_one_run(tmp_path: Path, postgres_url: str, start: Start) -> None:
    agent = {"entry": "served_agents:hello", "path": [str(ROOT / "tests" / "server")], "model": "any"}
    config = {
        "database": {"url": postgres_url},
        "runs": {"isolation": "process"},
        "agents": {"hello": agent},
    }
    (tmp_path / "airside.yaml").write_text(json.dumps(config))
    gateway = start("gateway")
    assert gateway["roles"] == ["gateway"]
    alone = command(tmp_path, "serve", "worker", "--port", "0")
    assert alone.code == Exit.MISCONFIGURED
    assert "server.gateway_url" in alone.err
    assert start("api")["admin_key"]
    start("worker", AIRSIDE_SERVER__GATEWAY_URL=gateway["url"])
    told = command(tmp_path, "submit", "hello", '"hi"', "--wait", "--json")
    assert told.code == 0, told
    assert "scripted" in told.json["result"]
    assert command(tmp_path, "fsck").code == 0
