"""`airside guard`: looking at a text, trying and measuring cases, and keeping what the guards got wrong."""

from collections.abc import Callable
from pathlib import Path

import yaml

from tests.cli.conftest import Told

Airside = Callable[..., Told]
KEY = "ghp_" + "kP3vQ9zXw2LmN8rT5yU1aB4cD7eF0gH6iJtW"


def _written(folder: Path, *cases: dict[str, object]) -> str:
    file = folder / "cases.yaml"
    file.write_text(yaml.safe_dump({"cases": list(cases)}), "utf-8")
    return str(file)


def test_a_text_is_looked_at_without_a_server(airside: Airside, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"nothing to see \xff here")
    told = airside("guard", "check", str(file), "--json")
    assert (told.code, told.json["mode"], told.json["findings"]) == (0, "off", [])


def test_a_case_that_fails_says_what_is_wrong(airside: Airside, tmp_path: Path) -> None:
    harmless = {"name": "plain", "text": "How are you?"}
    missed = {"name": "missed", "text": "How are you?", "expect": [{"guard": "secrets", "kind": "SECRET"}]}
    good = airside("guard", "test", _written(tmp_path, harmless))
    assert good.code == 0
    assert "1 of 1 cases passed" in good.err
    bad = airside("guard", "test", _written(tmp_path, harmless, missed), "--json")
    assert bad.code == 1
    assert bad.json == {"cases": 2, "failed": [{"name": "missed", "wrong": ["not found: secrets SECRET"]}]}


def test_a_file_with_a_typo_names_line_and_key(airside: Airside, tmp_path: Path) -> None:
    told = airside("guard", "test", _written(tmp_path, {"text": "x", "expects": []}))
    assert told.code == 7
    assert "cases.yaml:2" in told.err
    assert "expects" in told.err


def test_guards_are_measured(airside: Airside, tmp_path: Path) -> None:
    file = _written(
        tmp_path,
        {"text": f"my token is {KEY}", "expect": [{"guard": "secrets"}]},
        {"text": "my token is missing"},
    )
    told = airside("guard", "bench", file, "--json")
    assert told.code == 0
    assert told.json["texts"] == 2
    assert told.json["guards"]["secrets"]["recall"] == 1.0
    assert told.json["guards"]["secrets"]["false_alarms"] == 0


def test_what_was_wrong_is_kept_tried_exported_and_forgotten(airside: Airside, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("How are you?", "utf-8")
    kept = airside("guard", "keep", str(text), "--because", "harmless", "--json")
    assert kept.code == 0
    case_id = kept.json["case_id"]
    rows = airside("guard", "cases", "--json").json["items"]
    assert [(row["case_id"], row["because"], row["case"]) for row in rows] == [
        (case_id, "harmless", {"text": "How are you?"})
    ]
    file = _written(tmp_path, {"text": "fine"})
    assert "2 of 2 cases passed" in airside("guard", "test", file, "--kept").err
    exported = tmp_path / "exported.yaml"
    assert airside("guard", "cases", "--export", str(exported)).code == 0
    assert airside("guard", "test", str(exported)).code == 0
    assert airside("guard", "keep", str(text), "--run", "run_none").code == 5
    assert airside("guard", "forget", case_id).code == 0
    assert airside("guard", "forget", case_id).code == 5
