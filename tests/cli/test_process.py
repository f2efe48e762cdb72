"""The command line as a process: exit codes, streams apart, no traceback, `run`, `fsck`, the end of `up`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airside.cli.exits import Exit
from tests.cli.conftest import Installation, command, environment


def test_a_result_on_stdout_and_everything_else_on_stderr(installation: Installation) -> None:
    told = command(installation.folder, "submit", "hello", '"hi"', "--wait", "--json")
    assert told.code == 0, told.err
    assert told.json["state"] == "succeeded"
    assert len(told.out.splitlines()) == 1
    assert "succeeded" in told.err


def test_an_error_is_one_line_with_advice(installation: Installation) -> None:
    told = command(installation.folder, "submit", "nobody", "1")
    assert told.code == Exit.NOT_FOUND
    assert told.out == ""
    assert told.err.startswith("error [unknown_agent]: ")
    assert len(told.err.splitlines()) == 1
    assert "Traceback" not in told.err


def test_no_installation_is_said_plainly(tmp_path: Path) -> None:
    told = command(tmp_path, "runs", "list")
    assert (told.code, told.out) == (Exit.UNREACHABLE, "")
    assert "airside up" in told.err
    told = command(tmp_path, "runs", "list", "--json", AIRSIDE_URL="http://127.0.0.1:9")
    assert (told.code, told.json["error"]["code"]) == (Exit.NOT_ALLOWED, "unauthenticated")
    told = command(tmp_path, "fsck")
    assert told.code == Exit.MISCONFIGURED
    assert not (tmp_path / ".airside").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'. See `airside --help`."),
        (["runs", "list", "--state", "lost"], "'lost' is not one of"),
        (["submit"], "Missing argument 'AGENT'"),
    ],
)
def test_a_wrong_command_line_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    told = command(tmp_path, *arguments, "--json")
    assert told.code == Exit.USAGE
    assert said in told.err
    assert told.err.startswith("error [invalid_request]: ")
    assert len(told.err.splitlines()) == 1
    assert told.json["error"]["code"] == "invalid_request"


def test_a_bad_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "airside.yaml").write_text("server: {port: many}")
    told = command(tmp_path, "up")
    assert told.code == Exit.MISCONFIGURED
    assert "airside.yaml: server.port" in told.err
    assert "Traceback" not in told.err


def test_a_taken_port_is_named(installation: Installation, tmp_path: Path) -> None:
    url = (installation.folder / ".airside" / "server.url").read_text()
    told = command(tmp_path, "up", "--port", url.rpartition(":")[2])
    assert told.code == Exit.MISCONFIGURED
    assert "cannot listen" in told.err


def test_fsck_beside_a_running_installation_is_clean(installation: Installation) -> None:
    told = command(installation.folder, "fsck", "--json")
    assert (told.code, told.json) == (0, {"ok": True, "findings": []}), told.err


def test_run_governs_a_program_that_only_knows_two_variables(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # for root, the attempt gives up its user and passes no private folder
    (tmp_path / "program.py").write_text(
        "import json, os, sys, urllib.request\n"
        "body = json.dumps({'model': 'any', 'messages': [{'role': 'user', 'content': 'hi'}]}).encode()\n"
        "headers = {'authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'], 'content-type': 'application/json'}\n"
        "request = urllib.request.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', body, headers)\n"
        "print(json.load(urllib.request.urlopen(request))['choices'][0]['message']['content'])\n"
        "sys.exit(len(sys.argv) - 1)\n"
    )
    told = command(tmp_path, "run", "--json", "--", sys.executable, "program.py")
    assert told.code == 0, told.err
    assert "scripted" in told.json["result"]
    assert [(call["kind"], call["state"]) for call in told.json["calls"]] == [("model", "ok")]
    failed = command(tmp_path, "run", "--", sys.executable, "program.py", "fail")
    assert failed.code == Exit.FAILED, failed.err
    assert "model any: ok" in failed.err
    assert command(tmp_path, "run", "--", "no-such-program").code == Exit.MISCONFIGURED


def test_up_ends_in_time_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "airside.yaml").write_text("server: {port: 0}")
    process = subprocess.Popen(
        [sys.executable, "-m", "airside", "up", "--json"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    started = json.loads(process.stdout.readline())
    assert started["admin_key"].startswith("ak_")
    assert Path(started["socket"]).is_socket()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not Path(started["socket"]).exists()
    assert not (tmp_path / ".airside" / "server.url").exists()
