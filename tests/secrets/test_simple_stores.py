"""Environment and files: only what is configured is read, and nothing outside the folder."""

import os
from pathlib import Path

import pytest

from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, Code, TransientError
from airside.secrets.stores.env import EnvStore
from airside.secrets.stores.file import FileStore

VALUE = "gh-4Gk1zP0tQ9xW"


def file_store(folder: Path) -> FileStore:
    return FileStore("files", StoreSettings(kind="file", folder=folder))


def written(folder: Path, name: str, content: bytes = VALUE.encode(), mode: int = 0o600) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    return file


async def test_only_named_variables_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", VALUE)
    monkeypatch.setenv("OTHER_TOKEN", VALUE)
    store = EnvStore("env", StoreSettings(kind="env", names=["GITHUB_TOKEN", "ABSENT"]))
    assert (await store.fetch("GITHUB_TOKEN")).content == VALUE
    for name in ("OTHER_TOKEN", "ABSENT"):
        with pytest.raises(AirsideError) as caught:
            await store.fetch(name)
        assert caught.value.code is Code.SECRET_UNAVAILABLE
        assert not isinstance(caught.value, TransientError)


async def test_a_variable_that_is_not_text_is_refused() -> None:
    os.environb[b"AIRSIDE_TEST_BYTES"] = b"\xff\xfe\xfd12345678"
    try:
        with pytest.raises(AirsideError, match="not UTF-8"):
            await EnvStore("env", StoreSettings(kind="env", names=["AIRSIDE_TEST_BYTES"])).fetch("AIRSIDE_TEST_BYTES")
    finally:
        del os.environb[b"AIRSIDE_TEST_BYTES"]


async def test_a_file_is_read_without_its_line_break_and_again_when_replaced(tmp_path: Path) -> None:
    written(tmp_path, "team/github", VALUE.encode() + b"\n")
    store = file_store(tmp_path)
    first = await store.fetch("team/github")
    assert first.content == VALUE
    await store.put("team/github", "another-Value-77")
    second = await store.fetch("team/github")
    assert second.content == "another-Value-77"
    assert second.version != first.version
    assert [document.content for document in await store.others("team/github")] == [VALUE]
    assert (tmp_path / "team" / "github").stat().st_mode & 0o777 == 0o600


async def test_what_everybody_may_read_is_no_secret(tmp_path: Path) -> None:
    written(tmp_path, "github", mode=0o644)
    with pytest.raises(AirsideError, match="everybody") as caught:
        await file_store(tmp_path).fetch("github")
    assert VALUE not in str(caught.value)


async def test_kubernetes_links_are_followed_within_the_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    written(folder, "..2026/github")
    (folder / "..data").symlink_to("..2026")
    (folder / "github").symlink_to("..data/github")
    written(tmp_path, "outside")
    (folder / "outside").symlink_to(tmp_path / "outside")
    store = file_store(folder)
    assert (await store.fetch("github")).content == VALUE
    with pytest.raises(AirsideError, match="nothing under outside"):
        await store.fetch("outside")


@pytest.mark.parametrize("kind", ["folder", "fifo", "bytes", "huge", "below a file"])
async def test_odd_files_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    name = "odd"
    if kind == "folder":
        (tmp_path / name).mkdir()
    elif kind == "fifo":
        os.mkfifo(tmp_path / name, 0o600)
    elif kind == "below a file":
        written(tmp_path, "odd")
        name = "odd/below"
    else:
        written(tmp_path, name, b"\xff" * 100 if kind == "bytes" else b"x" * 300_000)
    with pytest.raises(AirsideError) as caught:
        await file_store(tmp_path).fetch(name)
    assert caught.value.code is Code.SECRET_UNAVAILABLE


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="no folder"):
        await file_store(tmp_path / "nothing").check()
    with pytest.raises(AirsideError, match="nothing under"):
        await file_store(tmp_path / "nothing").fetch("github")
