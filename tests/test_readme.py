"""What the README tells people to type works as it is printed."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import environment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SET_UP = ("cd ", "source ", "make ", "airside up")


def blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(README) if kind == language]


def commands() -> list[str]:
    """Every command that the README prints, in its order, without the comments."""
    lines = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix("$ ").partition("  #")[0].strip() for line in lines]


@pytest.fixture
def examples(tmp_path: Path) -> Iterator[Path]:
    """A copy of the examples that `airside up` serves, on a free port because 7878 may be taken."""
    tmp_path.chmod(0o755)  # for root, an attempt gives up its user and passes no private folder
    folder = Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".airside")))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airside", "up", "--port", "0"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    give_up = time.monotonic() + 60
    while "Ctrl+C" not in (tmp_path / "log").read_text():
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < give_up, (tmp_path / "log").read_text()
        time.sleep(0.05)
    yield folder
    process.terminate()
    process.wait(30)


def test_the_examples_are_the_files_that_ship() -> None:
    assert blocks("python") == [(ROOT / "examples" / "hello.py").read_text()]
    assert blocks("yaml") == [(ROOT / "examples" / "airside.yaml").read_text()]


def test_the_commands_are_those_that_are_tested_here() -> None:
    kinds = [command for command in commands() if command.startswith(SET_UP)]
    assert kinds == ["make demo", "make test", "cd examples", "source ../.venv/bin/activate", "airside up"]
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in ("demo", "test") if f"\n{target}:" not in makefile] == []


def test_what_is_typed_in_the_other_terminal_works(examples: Path) -> None:
    said = []
    for command in (command for command in commands() if not command.startswith(SET_UP)):
        program, *arguments = shlex.split(command)
        assert program == "airside"
        arguments = [sys.executable if argument == "python" else argument for argument in arguments]
        done = subprocess.run(
            [sys.executable, "-m", "airside", *arguments],
            cwd=examples,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == "Good morning, Ada! Outside it is sunny, 24 °C.\n"
    assert "succeeded" in said[1]
    assert said[2].strip() == "Hello, world!"
