"""Policy files: what is wrong is said with line and key, and the version names what the rules say."""

from pathlib import Path

import pytest

from airside.core.errors import AirsideError, Code
from airside.policy import load, parse


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("rules:\n  - name: a\n    then: maybe\n", 3, "rules[0].then"),
        ("rules:\n  - name: a\n    then: allow\n    tool: [x]\n", 4, "rules[0].tool: this key is not known"),
        ("rulez: []\n", 1, "rulez"),
        ("rules:\n  - then: allow\n", 2, "rules[0].name"),
        ("rules:\n  - name: a\n    then: allow\n    then: deny\n", 4, "key then stands twice"),
        ("rules:\n  - {name: a, then: allow}\n  - {name: a, then: deny}\n", 1, "share the name a"),
        ("rules:\n  - name: a\n    then: allow\n    amount: {above: -1}\n", 4, "rules[0].amount.above"),
        ("rules:\n  - name: a\n    then: allow\n    amount: {above: .nan}\n", 4, "rules[0].amount.above"),
        ("rules:\n  - name: a\n    then: allow\n    amount: {}\n", 4, "above"),
        ("rules:\n  - name: a\n    then: allow\n    amount: {above: 5, at_most: 5}\n", 4, "less than"),
        ("rules:\n  - name: a\n    then: ask\n    models: ['*']\n", 2, "cannot wait"),
        ("rules:\n  - name: a\n    then: allow\n    models: [m]\n    tools: [t]\n", 2, "models or about tools"),
        ("rules:\n  - name: a\n    then: allow\n    effects: [delete]\n", 4, "rules[0].effects[0]"),
        ("rules:\n  - name: a\n    then: allow\n    tools: []\n", 4, "rules[0].tools"),
        ("rules:\n  - name: A b\n    then: allow\n", 2, "rules[0].name"),
        ("rules: [\n", 2, ""),
        ("a: &x [1]\nrules: *x\n", 1, "aliases"),
        ("- 1\n", 1, ""),
        ("rules: !!python/object/apply:os.system [ls]\n", 1, ""),
        ("\0", 1, "not YAML"),
        ("[" * 5_000, 1, ""),
    ],
)
def test_a_bad_file_is_refused_with_line_and_key(text: str, line: int, said: str) -> None:
    with pytest.raises(AirsideError) as caught:
        parse(text, "p.yaml")
    assert caught.value.code is Code.MISCONFIGURED
    assert caught.value.message.startswith(f"p.yaml:{line}: "), caught.value.message
    assert said in caught.value.message


def test_files_are_read_and_missing_ones_named(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with pytest.raises(AirsideError, match=r"policy\.yaml"):
        load(file)
    file.write_text("rules:\n  - {name: a, then: allow}\n")
    assert load(file).version == parse("rules: [{name: a, then: allow}]").version


def test_an_empty_file_is_the_policy_without_rules(tmp_path: Path) -> None:
    assert parse("").version == parse("# nothing yet\n").version == load(None).version


def test_the_version_changes_with_what_the_rules_say() -> None:
    texts = [
        "rules: []",
        "models: deny",
        "rules: [{name: a, then: allow}]",
        "rules: [{name: b, then: allow}]",
        "rules: [{name: a, then: allow, amount: {above: 5}}]",
        "rules: [{name: a, then: allow, tools: [x]}]",
    ]
    assert len({parse(text).version for text in texts}) == len(texts)
