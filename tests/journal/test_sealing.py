"""Sealed content: opens only under its key and name, equal only within a subject, and a lost key is said aloud."""

import asyncio
import os
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.errors import AirsideError, Code
from airside.journal.backend import Backend
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring, SubjectSealer
from tests.journal import world

KEY = bytes(range(32))
SEALER = SubjectSealer("default", "sub", KEY)
TEXT = b'{"role":"user","content":"Where is my order 4711?"}'


@given(st.binary(max_size=5_000))
def test_what_is_sealed_opens_again(plaintext: bytes) -> None:
    sealed = SEALER.seal(plaintext)
    assert SEALER.open(sealed.content_id, sealed.blob) == plaintext
    assert sealed.content_id == SEALER.name(plaintext)


def test_equal_plaintexts_share_a_name_but_not_a_blob() -> None:
    one, two = SEALER.seal(TEXT), SEALER.seal(TEXT)
    assert one.content_id == two.content_id
    assert one.blob != two.blob
    assert len(one.content_id) == 32


def test_names_differ_between_subjects_tenants_and_keys() -> None:
    others = [
        SubjectSealer("default", "other", KEY[::-1]),
        SubjectSealer("default", "sub", os.urandom(32)),
    ]
    assert len({sealer.name(TEXT) for sealer in (SEALER, *others)}) == 3


@pytest.mark.parametrize(("tenant_id", "subject"), [("default", "other"), ("other", "sub"), ("defaults", "ub")])
def test_a_blob_is_bound_to_its_tenant_and_subject(tenant_id: str, subject: str) -> None:
    sealed = SEALER.seal(TEXT)
    with pytest.raises(AirsideError):
        SubjectSealer(tenant_id, subject, KEY).open(sealed.content_id, sealed.blob)


def test_every_changed_bit_of_blob_and_name_is_noticed() -> None:
    sealed = SEALER.seal(TEXT)
    for position in range(len(sealed.blob) * 8):
        changed = bytearray(sealed.blob)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(AirsideError) as refused:
            SEALER.open(sealed.content_id, bytes(changed))
        assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    for position in range(256):
        name = bytearray(sealed.content_id)
        name[position // 8] ^= 1 << position % 8
        with pytest.raises(AirsideError):
            SEALER.open(bytes(name), sealed.blob)


@pytest.mark.parametrize("length", [0, 1, 5, 13, 28])
def test_a_shortened_blob_is_noticed(length: int) -> None:
    sealed = SEALER.seal(TEXT)
    with pytest.raises(AirsideError):
        SEALER.open(sealed.content_id, sealed.blob[:length])


def test_neither_blob_nor_error_shows_the_plaintext() -> None:
    sealed = SEALER.seal(b"secret " * 100)
    assert b"secret" not in sealed.blob
    with pytest.raises(AirsideError) as refused:
        SEALER.open(sealed.content_id, sealed.blob[:-1] + b"\0")
    assert "secret" not in str(refused.value)


def test_sealing_in_threads_at_once() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for step in range(300):
            plaintext = f"{number} {step} ".encode() * (step % 90)
            sealed = SEALER.seal(plaintext)
            if SEALER.open(sealed.content_id, sealed.blob) != plaintext:
                wrong.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


async def test_a_subjects_key_is_made_once_and_found_again(backend: Backend) -> None:
    rings = [DatabaseKeyring(backend.database, KEY) for _ in range(5)]
    keys = await asyncio.gather(*[ring.subject("default", "amy") for ring in rings])
    assert len({key.name(TEXT) for key in keys}) == 1
    assert (await rings[0].subject("default", "bob")).name(TEXT) != keys[0].name(TEXT)
    assert (await rings[0].subject("other", "amy")).name(TEXT) != keys[0].name(TEXT)


async def test_the_wrong_master_key_is_said_aloud(backend: Backend) -> None:
    await DatabaseKeyring(backend.database, KEY).subject("default", "amy")
    with pytest.raises(AirsideError) as refused:
        await DatabaseKeyring(backend.database, b"x" * 32).subject("default", "amy")
    assert refused.value.code is Code.MISCONFIGURED
    assert "master key" in refused.value.message


async def test_a_master_key_is_proved_from_the_first_start_on(backend: Backend) -> None:
    await DatabaseKeyring(backend.database, KEY).prove("default")
    await DatabaseKeyring(backend.database, KEY).prove("default")
    with pytest.raises(AirsideError) as raised:
        await DatabaseKeyring(backend.database, b"x" * 32).prove("default")
    assert raised.value.code is Code.MISCONFIGURED


async def test_a_wrapped_key_cannot_be_moved_to_another_subject(backend: Backend) -> None:
    ring = DatabaseKeyring(backend.database, KEY)
    await ring.subject("default", "amy")
    await world.execute(backend.database, "copy_key", source="amy", target="eve")
    with pytest.raises(AirsideError):
        await ring.subject("default", "eve")


async def test_a_destroyed_key_is_gone(backend: Backend) -> None:
    ring = DatabaseKeyring(backend.database, KEY)
    await ring.subject("default", "amy")
    await world.execute(backend.database, "destroy_key", subject="amy")
    ring.forget("default", "amy")
    with pytest.raises(AirsideError) as refused:
        await ring.subject("default", "amy")
    assert refused.value.code is Code.NOT_FOUND


async def test_the_cache_of_keys_is_bounded(backend: Backend) -> None:
    ring = DatabaseKeyring(backend.database, KEY, subjects_max=2)
    first = await ring.subject("default", "a")
    assert await ring.subject("default", "a") is first
    for name in ("b", "a", "c"):
        await ring.subject("default", name)
    assert await ring.subject("default", "a") is first, "used lately, so kept"
    for name in ("b", "c"):
        await ring.subject("default", name)
    again = await ring.subject("default", "a")
    assert again is not first
    assert again.name(TEXT) == first.name(TEXT)


def test_the_master_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    key = load_master_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(path) == key
    assert path.read_text() == key.hex() + "\n"
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [Thread(target=lambda: keys.append(load_master_key(tmp_path / "master.key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "00" * 32 + "\n" + "00" * 32, "\udcff"])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(AirsideError) as refused:
        load_master_key(path)
    assert refused.value.code is Code.MISCONFIGURED
    assert path.read_bytes() == text.encode(errors="surrogateescape")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    load_master_key(path)
    path.chmod(mode)
    with pytest.raises(AirsideError) as refused:
        load_master_key(path)
    assert "chmod 600" in refused.value.advice
