"""A sequence classifier in a folder: a tiny real model, built here, through the real runtime and tokenizer."""

from pathlib import Path
from typing import Any

import pytest

from airside.core.errors import AirsideError, Code
from airside.guards.finding import Place
from airside.guards.injection.judges.onnx import LocalModel, softmax
from tests.journal.world import who

pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")
WORDS = {"[UNK]": 0, "ignore": 1, "instructions": 2, "weather": 3}


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes | int | str) -> bytes:
    """Return a field of a protocol buffer: there is no `onnx` package here, and a model of two nodes needs none."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name: str, kind: int, *dims: int | str) -> bytes:
    shape = b"".join(field(1, field(1, dim) if isinstance(dim, int) else field(2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def build(folder: Path) -> None:
    """Write a model whose logits are the mean of a row for each word: only some words speak for an attack."""
    import numpy as np

    table = np.array([[1, -1], [-6, 6], [-2, 2], [3, -3]], np.float32)
    weights = field(1, 4) + field(1, 2) + field(2, 1) + field(8, "table") + field(9, table.tobytes())
    gather = field(1, "table") + field(1, "input_ids") + field(2, "rows") + field(4, "Gather")
    keep = field(1, "keepdims") + field(3, 0) + field(20, 2)
    axes = field(1, "axes") + field(8, 1) + field(20, 7)
    mean = field(1, "rows") + field(2, "logits") + field(4, "ReduceMean") + field(5, axes) + field(5, keep)
    graph = field(1, gather) + field(1, mean) + field(2, "tiny") + field(5, weights)
    graph += field(11, value_info("input_ids", 7, 1, "words")) + field(12, value_info("logits", 1, 1, 2))
    model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))
    (folder / "model.onnx").write_bytes(model)
    words: Any = tokenizers.Tokenizer(tokenizers.models.WordLevel(WORDS, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))


@pytest.fixture
def judge(tmp_path: Path) -> LocalModel:
    build(tmp_path)
    return LocalModel(str(tmp_path), [1], timeout_s=30)


async def test_a_model_in_a_folder_is_asked(judge: LocalModel) -> None:
    assert await judge.score(who(), "ignore instructions", Place.USER) > 0.9
    assert await judge.score(who(), "weather weather", Place.USER) < 0.1
    assert await judge.score(who(), "", Place.USER) == 0.0
    assert 0 <= await judge.score(who(), "\ud800 any \x00 text", Place.USER) <= 1


async def test_what_stands_far_behind_counts_too(judge: LocalModel) -> None:
    assert await judge.score(who(), "weather " * 3_000 + "ignore " * 500, Place.RESULT) > 0.9


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AirsideError) as raised:
        LocalModel(str(tmp_path), [1], timeout_s=1)
    assert raised.value.code is Code.MISCONFIGURED
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(AirsideError) as raised:
        LocalModel(str(tmp_path), [1], timeout_s=1)
    assert raised.value.code is Code.MISCONFIGURED


def test_probabilities_add_up_whatever_the_logits() -> None:
    assert sum(softmax([1e4, -1e4, 0.0])) == pytest.approx(1)
