"""The encrypted file: nothing readable in it, keys rotate, and what was changed is refused."""

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airside.config.secrets import StoreSettings
from airside.core.errors import AirsideError, TransientError
from airside.secrets.stores.encrypted import EncryptedStore

VALUE = "value-4Gk1zP0tQ9xW"


def encrypted(folder: Path) -> EncryptedStore:
    settings = StoreSettings(kind="encrypted", file=folder / "secrets.enc", key_file=folder / "secrets.key")
    return EncryptedStore("sealed", settings)


async def test_what_is_written_is_read_and_stands_nowhere_in_clear(tmp_path: Path) -> None:
    store = encrypted(tmp_path)
    await store.put("github", VALUE)
    await store.put("database", {"user": "someone", "password": VALUE})
    assert (await store.fetch("github")).content == VALUE
    assert (await store.fetch("database")).content == {"user": "someone", "password": VALUE}
    for file in tmp_path.iterdir():
        assert VALUE.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    await store.put("github", "newer-" + VALUE)
    assert [document.content for document in await store.others("github")] == [VALUE]
    with pytest.raises(AirsideError, match="nothing under"):
        await store.fetch("other")


async def test_a_new_key_in_front_takes_over_and_old_ones_still_open(tmp_path: Path) -> None:
    store = encrypted(tmp_path)
    await store.put("github", VALUE)
    old = (tmp_path / "secrets.key").read_text()
    (tmp_path / "secrets.key").write_text(Fernet.generate_key().decode() + "\n" + old)
    assert (await store.fetch("github")).content == VALUE
    await store.put("other", VALUE)
    (tmp_path / "secrets.key").write_text((tmp_path / "secrets.key").read_text().splitlines()[0])
    assert (await store.fetch("github")).content == VALUE


async def test_a_wrong_key_a_changed_file_or_none_fails_closed(tmp_path: Path) -> None:
    store = encrypted(tmp_path)
    with pytest.raises(TransientError, match="cannot read its file"):
        await store.check()
    await store.put("github", VALUE)
    sealed = (tmp_path / "secrets.enc").read_bytes()
    (tmp_path / "secrets.enc").write_bytes(sealed[:-20] + b"A" * 20)
    with pytest.raises(TransientError, match="cannot decrypt"):
        await store.fetch("github")
    (tmp_path / "secrets.enc").write_bytes(sealed)
    (tmp_path / "secrets.key").write_text(Fernet.generate_key().decode())
    with pytest.raises(TransientError, match="cannot decrypt"):
        await store.fetch("github")
    (tmp_path / "secrets.key").write_text("nonsense")
    with pytest.raises(TransientError, match="without usable keys"):
        await store.fetch("github")
    (tmp_path / "secrets.key").chmod(0o644)
    with pytest.raises(AirsideError, match="readable by others"):
        await store.fetch("github")


async def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    await asyncio.gather(*[encrypted(tmp_path).put(f"name{number}", f"{VALUE}-{number}") for number in range(20)])
    for number in range(20):
        assert (await encrypted(tmp_path).fetch(f"name{number}")).content == f"{VALUE}-{number}"
