"""Every command against a running installation: what it prints, as JSON too, and its exit code."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airside.cli.exits import Exit
from tests.cli.conftest import ROOT, Installation, Told, leaf_commands

Airside = Callable[..., Told]
CLI_DOC = ROOT / "docs" / "cli.md"


def until(look: Callable[[], bool]) -> None:
    """Wait for a condition, at most 20 seconds."""
    give_up = time.monotonic() + 20
    while not look():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.05)


def submitted(airside: Airside, *arguments: str) -> str:
    told = airside("submit", *arguments, "--json")
    assert told.code == 0, told
    return str(told.json["id"])


def test_every_command_and_option_is_documented() -> None:
    text = CLI_DOC.read_text()
    missing = []
    for name, made in leaf_commands().items():
        line = next((line for line in text.splitlines() if line.startswith(f"| `airside {name}")), "")
        missing += [] if line else [name]
        options = [option for parameter in made.params for option in parameter.opts if option.startswith("--")]
        missing += [
            f"{name} {option}" for option in options if option not in {"--help", "--json"} and option not in line
        ]
    assert missing == []


def test_every_command_takes_json() -> None:
    without = [
        name
        for name, made in leaf_commands().items()
        if not any("--json" in parameter.opts for parameter in made.params)
    ]
    assert without == []


def test_every_exit_code_is_documented() -> None:
    text = CLI_DOC.read_text()
    assert [code.name for code in Exit if not re.search(rf"^\| {code.value} \|", text, re.MULTILINE)] == []


def test_submit_and_wait_prints_the_result(airside: Airside) -> None:
    told = airside("submit", "hello", '"hi"', "--wait")
    assert told.code == 0, told
    assert "scripted" in told.out
    assert "succeeded, 1 calls, $0.0" in told.err
    as_json = airside("submit", "hello", '"hi"', "--wait", "--json").json
    assert (as_json["state"], as_json["budget"]["calls"]["spent"]) == ("succeeded", 1)
    assert "scripted" in as_json["result"]


def test_an_idempotency_key_and_labels_are_passed_on(airside: Airside) -> None:
    arguments = ("hello", "1", "--idempotency-key", "k", "--label", "workflow=refunds")
    first, second = submitted(airside, *arguments), submitted(airside, *arguments)
    assert first == second
    assert airside("runs", "show", first, "--json").json["labels"] == {"workflow": "refunds"}
    assert airside("submit", "hello", "2", "--idempotency-key", "k").code == Exit.REFUSED
    path = airside("budget", "show", first, "--json").json["path"]
    assert [node["node"].partition(":")[0] for node in path] == ["tenant", "workflow", "run"]
    assert "workflow:refunds" in airside("budget", "show").out


def test_input_from_a_file_and_bad_input(airside: Airside, tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text('{"n": 1}')
    assert airside("submit", "hello", f"@{tmp_path / 'task.json'}").code == 0
    for bad in ("not json", '{"a":1,"a":2}', f"@{tmp_path / 'missing'}"):
        told = airside("submit", "hello", bad)
        assert told.code == Exit.REFUSED, bad
        assert "invalid_request" in told.err
    assert airside("submit", "nobody", "1").code == Exit.NOT_FOUND
    assert airside("submit", "hello").code == Exit.USAGE
    assert airside("submit", "hello", "1", "--label", "oops").code == Exit.REFUSED


def test_runs_are_listed_followed_and_cancelled(airside: Airside) -> None:
    run_id = submitted(airside, "sleeper", "null")
    until(lambda: airside("runs", "show", run_id, "--json").json["state"] == "running")
    assert airside("runs", "wait", run_id, "--timeout", "0.2").code == Exit.WAITING
    listed = airside("runs", "list", "--state", "running", "--agent", "sleeper", "--json").json["items"]
    assert run_id in [run["id"] for run in listed]
    assert run_id in airside("runs", "list").out
    assert airside("runs", "move", run_id).code == Exit.REFUSED
    assert airside("runs", "cancel", run_id).code == 0
    told = airside("runs", "events", run_id, "--json")
    assert [json.loads(line)["state"] for line in told.out.splitlines()] == ["queued", "running", "cancelled"]
    assert airside("runs", "wait", run_id).code == Exit.FAILED
    assert airside("runs", "resolve", run_id, "give_up").code == Exit.REFUSED
    assert airside("runs", "show", "run_nothing").code == Exit.NOT_FOUND


def test_an_approval_is_edited_and_given(airside: Airside, tmp_path: Path) -> None:
    run_id = submitted(airside, "payer", '{"to": "bob", "amount_usd": 50}')
    until(lambda: airside("runs", "show", run_id, "--json").json["state"] == "waiting_approval")
    (approval,) = airside("approvals", "list", "--run", run_id, "--json").json["items"]
    shown = airside("approvals", "show", approval["id"]).out
    assert "bob" in shown
    assert "payments: a person looks at payments" in shown
    (tmp_path / "edit.json").write_text("{}")
    both = airside("approvals", "approve", approval["id"], "--set", "a=1", "--edit", str(tmp_path / "edit.json"))
    assert both.code == Exit.REFUSED
    given = airside("approvals", "approve", approval["id"], "--set", "amount_usd=20", "--reason", "less", "--json")
    assert given.json["edited_arguments"] == {"to": "bob", "amount_usd": 20}
    waited = airside("runs", "wait", run_id, "--json")
    assert (waited.code, waited.json["state"]) == (0, "succeeded")
    assert airside("approvals", "deny", approval["id"]).code == Exit.REFUSED


def test_a_denied_call_fails_its_run(airside: Airside) -> None:
    run_id = submitted(airside, "payer", '{"to": "eve", "amount_usd": 50}')
    until(lambda: airside("runs", "show", run_id, "--json").json["state"] == "waiting_approval")
    (approval,) = airside("approvals", "list", "--run", run_id, "--json").json["items"]
    assert airside("approvals", "deny", approval["id"], "--reason", "not eve").code == 0
    told = airside("runs", "wait", run_id)
    assert told.code == Exit.FAILED
    assert "approval_denied" in told.err


def test_a_breaker_is_held_open_listed_and_closed(airside: Airside) -> None:
    assert "no breaker" in airside("breakers").err
    assert "held open" in airside("breakers", "--open", "tool:pay").err
    (item,) = airside("breakers", "--json").json["items"]
    assert (item["key"], item["state"], item["forced"]) == ("tool:pay", "open", True)
    assert airside("breakers", "--close", "tool:pay", "--json").json == {"key": "tool:pay", "state": "closed"}
    assert "closed" in airside("breakers").out
    assert airside("breakers", "--open", "everything").code == Exit.REFUSED
    assert airside("breakers", "--open", "tool:pay", "--close", "tool:pay").code == Exit.REFUSED


def test_a_kill_is_set_listed_and_lifted(airside: Airside) -> None:
    assert airside("kill", "agent", "payer", "--reason", "drill").code == 0
    assert "drill" in airside("kill").out
    told = airside("submit", "payer", "{}")
    assert told.code == Exit.REFUSED
    assert "killed" in told.err
    assert airside("kill", "agent", "payer", "--lift").code == 0
    assert airside("kill", "--json").json["items"] == []
    assert airside("kill", "agent").code == Exit.REFUSED
    assert airside("kill", "run", "run_nothing").code == Exit.NOT_FOUND


def test_keys_and_roles(airside: Airside, installation: Installation) -> None:
    made = airside("keys", "create", "bob", "--role", "viewer", "--json").json
    viewer = {"AIRSIDE_API_KEY": made["secret"]}
    assert airside("runs", "list", **viewer).code == 0
    assert airside("submit", "hello", "1", **viewer).code == Exit.NOT_ALLOWED
    assert made["secret"] not in airside("keys", "list", "--json").out
    assert airside("keys", "revoke", made["id"]).code == 0
    assert airside("runs", "list", **viewer).code == Exit.NOT_ALLOWED
    assert airside("keys", "list", AIRSIDE_API_KEY=installation.admin_key).code == 0


def test_nobody_there(airside: Airside) -> None:
    told = airside("--url", "http://127.0.0.1:9", "runs", "list")
    assert told.code == Exit.UNREACHABLE
    assert "127.0.0.1:9" in told.err


@pytest.mark.parametrize("file", ["cli.key", "master.key", "server.url", "webhook.secret"])
def test_the_first_start_keeps_its_files_private(installation: Installation, file: str) -> None:
    data = installation.folder / ".airside"
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / file).stat().st_mode & 0o777 == 0o600
    assert installation.admin_key not in (data / file).read_text()
