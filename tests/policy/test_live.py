"""Policies follow their files: a good change is in force at once and whole; a broken one is told, no more."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError
from airside.core.policy import Verdict
from airside.core.ports import Query, Transaction
from airside.journal.backend import Backend, connect
from airside.policy.analysis.examples import WrittenCall
from airside.policy.files import Files, PolicyFiles
from airside.policy.live import LivePolicy, Reloading
from airside.policy.windows import Place

ALLOWS = "rules: [{name: a, then: allow}]\n"
ASKS = "rules: [{name: b, then: ask}]\n"
ENTRIES = Query("entries", "SELECT type FROM entries WHERE type LIKE 'policy.%' ORDER BY entry_id")


class Told:
    """Notices as they were told."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.all.append((kind, body))


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    connected = await connect("memory:", settings=DatabaseSettings(), executor_id="gw-1")
    yield connected
    await connected.close()


def write(file: Path, text: str) -> None:
    """Replace a file as editors do, with another time of change."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def verdict(policy: LivePolicy, tenant: str = "default") -> Verdict:
    call, tool = WrittenCall(tool="pay", tenant=tenant).asked({})
    return policy.decide(call, tool).verdict


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def journaled(backend: Backend) -> list[str]:
    async def body(tx: Transaction) -> list[str]:
        return [row["type"] for row in await tx.fetch(ENTRIES)]

    return await backend.database.read(body)


async def test_a_change_is_in_force_and_a_broken_one_is_not(tmp_path: Path, backend: Backend) -> None:
    file, told = tmp_path / "policy.yaml", Told()
    write(file, ALLOWS)
    policy = LivePolicy(PolicyFiles(Files(file), Place()))
    first = policy.version
    reloading = Reloading(policy, backend.database, told, "default", every_s=0.02)
    reloading.start()
    try:
        assert verdict(policy) is Verdict.ALLOW
        write(file, ASKS)
        await until(lambda: verdict(policy) is Verdict.ASK)
        assert policy.version != first
        write(file, "rules: [{name: b, then: maybe}]\n")
        await until(lambda: any(kind == "policy.rejected" for kind, _ in told.all))
        assert verdict(policy) is Verdict.ASK
        problem = next(body for kind, body in told.all if kind == "policy.rejected")
        assert f"{file}:1: rules[0].then" in problem["problem"]
        file.unlink()
        await until(lambda: sum(kind == "policy.rejected" for kind, _ in told.all) == 2)
        assert verdict(policy) is Verdict.ASK
        write(file, ALLOWS)
        await until(lambda: policy.version == first)
    finally:
        await reloading.close()
    assert await journaled(backend) == ["policy.changed", "policy.rejected", "policy.rejected", "policy.changed"]


async def test_a_hangup_looks_at_once(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.yaml"
    write(file, ALLOWS)
    policy = LivePolicy(PolicyFiles(Files(file), Place()))
    monkeypatch.setattr("sys.stdin", None)
    reloading = Reloading(policy, backend.database, Told(), "default", every_s=3_600)
    reloading.start()
    try:
        write(file, ASKS)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: verdict(policy) is Verdict.ASK)
    finally:
        await reloading.close()


def test_a_change_that_keeps_size_and_time_is_seen_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{name: a, then: allow}]\n")
    files = PolicyFiles(Files(file), Place())
    before = file.stat()
    file.write_text("rules: [{name: b, then: allow}]\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files.look() == []
    (change,) = files.look(anew=True)
    assert change.now != change.before


def test_one_broken_layer_does_not_keep_another_from_changing(tmp_path: Path) -> None:
    platform, tenant = tmp_path / "p.yaml", tmp_path / "t.yaml"
    write(platform, ALLOWS)
    write(tenant, "rules: []\n")
    files = PolicyFiles(Files(platform, {"acme": tenant}), Place())
    write(platform, "rules: [\n")
    write(tenant, ASKS)
    changes = {change.layer: change for change in files.look()}
    assert changes["platform"].problem
    assert not changes["tenant acme"].problem
    assert files.layers.tenants["acme"].rules.rules[0].name == "b"
    assert files.layers.platform.rules.rules[0].name == "a"
    assert files.look() == []


def test_an_agents_layer_belongs_to_its_release_and_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    write(file, ALLOWS)
    files = PolicyFiles(Files(None, {}, {"shop": file}), Place())
    write(file, ASKS)
    assert files.look(anew=True) == []
    assert files.layers.agents["shop"].rules.rules[0].name == "a"


def test_what_is_no_ordinary_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (pipe, tmp_path, tmp_path / "missing"):
        with pytest.raises(AirsideError, match="not there, or not an ordinary file"):
            PolicyFiles(Files(file), Place())


async def test_what_is_only_observed_is_told_at_start(tmp_path: Path, backend: Backend) -> None:
    file, told = tmp_path / "policy.yaml", Told()
    write(file, "rules: [{name: a, then: allow}, {name: b, then: deny, mode: observe}]\n")
    reloading = Reloading(LivePolicy(PolicyFiles(Files(file), Place())), backend.database, told, "default", every_s=60)
    reloading.start()
    await reloading.close()
    assert told.all == [("policy.observing", {"key": "observe", "only_observed": ["platform rule b"]})]
