"""`airside plan` against a running installation: a task with what is certain of it, plans checked, shown and mined."""

from collections.abc import Callable
from pathlib import Path

from airside.cli.exits import of_code
from airside.core.errors import Code
from tests.cli.conftest import Installation, Told, command

Airside = Callable[..., Told]
PLAN = "steps:\n- tool: send\n  arguments:\n    to: {one_of: [amy@house.org]}\n"


def test_a_run_is_given_a_plan_and_shows_it(airside: Airside, installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    told = airside(
        "plan", "submit", "hello", '"hi"', "--principal", "customer=c-17", "--plan", str(file), "--wait", "--json"
    )
    assert (told.json["state"], told.json["principal"]) == ("succeeded", {"customer": "c-17"})
    shown = command(installation.folder, "plan", "show", told.json["id"], "--json")
    assert shown.json["steps"][0]["arguments"] == {"to": {"one_of": ["amy@house.org"]}}
    plain = airside("submit", "hello", '"hi"', "--wait", "--json").json["id"]
    assert command(installation.folder, "plan", "show", plain).code == of_code(Code.NOT_FOUND)


def test_nothing_is_mined_from_runs_without_effects(installation: Installation) -> None:
    told = command(installation.folder, "plan", "mine", "hello")
    assert told.code == of_code(Code.NOT_FOUND)
    assert "no succeeded runs with effects" in told.err


def test_files_are_checked(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    assert "is a plan of 1 steps, closed" in command(installation.folder, "plan", "check", str(file)).err
    file.write_text("steps:\n- tool: send\n  argument: {}\n")
    told = command(installation.folder, "plan", "check", str(file))
    assert told.code == of_code(Code.MISCONFIGURED)
    assert "plan.yaml:3: steps[0].argument: this key is not known" in told.err
    file.write_text("steps: [")
    assert command(installation.folder, "plan", "check", str(file)).code == of_code(Code.MISCONFIGURED)
    assert command(installation.folder, "plan", "check", str(tmp_path / "none")).code == of_code(Code.MISCONFIGURED)
