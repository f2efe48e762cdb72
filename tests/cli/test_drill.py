"""The drills play real failures with real processes; a configuration without limits must fail them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

UNLIMITED = 'context: {mode: "off"}\n'


def drilled(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "airside", *arguments, "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_defaults_contain_every_failure(tmp_path: Path) -> None:
    config = tmp_path / "airside.yaml"
    config.write_text("log_level: info\n")
    code, findings = drilled("--config", str(config), "drill")
    assert [finding["drill"] for finding in findings if not finding["contained"]] == []
    assert len(findings) == 3
    assert code == 0
    assert 0 < float(findings[0]["spent_usd"]) <= 0.5


def test_a_configuration_that_does_not_contain_one_is_told_so(tmp_path: Path) -> None:
    config = tmp_path / "airside.yaml"
    config.write_text(UNLIMITED)
    code, (finding,) = drilled("--config", str(config), "drill", "context-overflow")
    assert not finding["contained"]
    assert code == 1


def test_an_unknown_drill_is_refused() -> None:
    code, _ = drilled("drill", "fire")
    assert code == 6
