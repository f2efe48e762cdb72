"""`airside batch`: what it says of files and batches that are none, and of providers that take no batches."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Told

Airside = Callable[..., Told]


def test_a_file_is_read_and_the_answer_told(airside: Airside, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n\n')
    told = airside("batch", "submit", str(file), "--model", "any", "--key", "k")
    assert told.code != 0
    assert "takes no batches" in told.err
    file.write_text("not json")
    assert "one per line" in airside("batch", "submit", str(file), "--model", "any").err
    assert "one per line" in airside("batch", "submit", str(tmp_path / "none"), "--model", "any").err


def test_a_batch_that_is_none_is_not_found(airside: Airside) -> None:
    for command in ("show", "results", "cancel"):
        told = airside("batch", command, "batch_none")
        assert told.code != 0
        assert "batch_none" in told.err
