"""SQLite under faults: killed writers, two processes on one file, a locked file, a full disk, a broken file."""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Admitted, Query
from airside.journal.backend import Backend, connect
from airside.journal.fsck import fsck
from airside.journal.sealing import DatabaseKeyring
from tests.journal import world

DEADLINE_S = 60.0


async def _connect(path: Path, busy_timeout_s: float = 20.0, executor_id: str = "gw-1") -> Backend:
    settings = DatabaseSettings(busy_timeout_s=busy_timeout_s)
    return await connect(f"sqlite:///{path}", settings=settings, executor_id=executor_id)


async def _program(path: Path, role: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.journal.writing", role, str(path)),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.PIPE,
    )


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode().strip()


def _files(folder: Path) -> list[os.stat_result]:
    return [file.stat() for file in folder.iterdir()]


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """A file with one running run."""
    connected = await _connect(tmp_path / "journal.db")
    await world.start_run(connected.database, nanousd=None, tokens=None, calls=None, turn_tool_calls=None)
    yield connected
    await connected.close()


async def test_every_acknowledged_operation_survives_kill_9(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await backend.close()
    writer = await _program(path, "until-killed")
    acknowledged = [await _line(writer) for _ in range(300)]
    os.kill(writer.pid, signal.SIGKILL)
    assert writer.stdout is not None
    acknowledged += (await writer.stdout.read()).decode().split("\n")[:-1]
    await writer.wait()
    again = await _connect(path)
    states = {row["call_id"]: row["state"] for row in await world.fetch(again.database, "calls")}
    for line in acknowledged:
        call_id, state = line.split()
        assert states[call_id] == state or (state, states[call_id]) == ("open", "ok"), line
    accounts = [found.message for found in await fsck(again.database, DatabaseKeyring(again.database, b"m" * 32))]
    assert [message for message in accounts if "its calls say" in message or "intents" in message] == []
    await again.close()


async def test_two_processes_on_one_file_never_overspend(backend: Backend, tmp_path: Path) -> None:
    affordable = 37
    limit = {"tenant_id": world.TENANT, "node": f"run:{world.RUN}", "nanousd": affordable * 10_000_000}
    await world.execute(backend.database, "set_limit", **limit)
    programs = [await _program(tmp_path / "journal.db", "spend") for _ in range(2)]
    assert [await _line(program) for program in programs] == ["ready", "ready"]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write(b"go\n")
        await program.stdin.drain()
    admitted = sum([int(await _line(program)) for program in programs])
    assert [await program.wait() for program in programs] == [0, 0]
    balance = await world.budget(backend.database)
    assert admitted == affordable
    assert (balance["spent_nanousd"], balance["reserved_nanousd"]) == (affordable * 10_000_000, 0)
    assert balance["spent_calls"] == affordable


async def test_a_balance_changed_by_another_process_is_not_taken_from_memory(backend: Backend, tmp_path: Path) -> None:
    await world.opened(backend.journal, world.call("a"))
    other = await _connect(tmp_path / "journal.db", executor_id="gw-2")
    await world.execute(other.database, "set_limit", tenant_id=world.TENANT, node=f"run:{world.RUN}", nanousd=1)
    assert not isinstance(await backend.journal.open(world.opening(world.call("b"))), Admitted)
    await other.close()


async def test_the_loop_goes_on_while_another_process_holds_the_lock(backend: Backend, tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    opening = asyncio.create_task(backend.journal.open(world.opening(world.call())))
    loop = asyncio.get_running_loop()
    longest_s, last_s = 0.0, loop.time()
    for _ in range(50):
        await asyncio.sleep(0.002)
        longest_s, last_s = max(longest_s, loop.time() - last_s), loop.time()
    assert not opening.done()
    assert longest_s < 0.5, "the loop stood still"
    assert await backend.journal.in_flight(world.who()) == 0, "reading goes on"
    holder.execute("COMMIT")
    holder.close()
    assert isinstance(await asyncio.wait_for(opening, DEADLINE_S), Admitted)


async def test_a_lock_that_is_never_released_is_an_error_and_passes(tmp_path: Path) -> None:
    backend = await _connect(tmp_path / "journal.db", busy_timeout_s=0.1)
    await world.start_run(backend.database)
    holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    calls = [world.call(f"c{number}") for number in range(3)]
    results = await asyncio.gather(
        *[backend.journal.open(world.opening(call)) for call in calls], return_exceptions=True
    )
    assert [getattr(result, "code", None) for result in results] == [Code.JOURNAL_UNAVAILABLE] * 3
    holder.execute("COMMIT")
    holder.close()
    assert isinstance(await backend.journal.open(world.opening(calls[0])), Admitted)
    assert (await world.budget(backend.database))["reserved_calls"] == 1
    await backend.close()


async def test_a_full_disk_refuses_all_and_recovers(backend: Backend, tmp_path: Path) -> None:
    await world.done(backend.journal, world.call("before"))
    size = max(file.st_size for file in _files(tmp_path))
    free = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, free[1]))
    refused: list[AirsideError] = []
    admitted = 0
    try:
        while not refused:
            calls = [world.call("x" * 8_000 + str(number)) for number in range(8)]
            results = await asyncio.gather(
                *[backend.journal.open(world.opening(call)) for call in calls], return_exceptions=True
            )
            refused = [result for result in results if isinstance(result, AirsideError)]
            admitted += sum(isinstance(result, Admitted) for result in results)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, free)
        signal.signal(signal.SIGXFSZ, ignored)
    assert {error.code for error in refused} == {Code.JOURNAL_UNAVAILABLE}
    assert (await world.budget(backend.database))["reserved_calls"] == admitted
    assert isinstance(await backend.journal.open(world.opening(world.call("after"))), Admitted)
    assert len(await world.fetch(backend.database, "calls")) == admitted + 2
    # What the lost batches had reserved in memory is forgotten, not written with the next one.
    assert (await world.budget(backend.database))["reserved_calls"] == admitted + 1


async def test_what_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"precious notes\n" * 1_000)
    with pytest.raises(AirsideError) as refused:
        await _connect(path)
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    assert path.read_bytes() == b"precious notes\n" * 1_000


async def test_the_file_is_for_its_owner_only(backend: Backend, tmp_path: Path) -> None:
    await world.done(backend.journal, world.call())
    assert {file.st_mode & 0o077 for file in _files(tmp_path)} == {0}


async def test_a_body_that_waits_is_refused(backend: Backend) -> None:
    with pytest.raises(AirsideError) as refused:
        await backend.database.transact(lambda tx: asyncio.sleep(0.001))
    assert refused.value.code is Code.INTERNAL


async def test_reads_cannot_write(backend: Backend) -> None:
    with pytest.raises(AirsideError):
        await backend.database.read(lambda tx: tx.execute(world.SQL["add_tenant"], tenant_id="t", time_zone="UTC"))
    assert await world.fetch(backend.database, "tenants") == []


async def test_commits_wait_for_the_disk(backend: Backend) -> None:
    """A kill cannot show it, only a power cut: WAL with synchronous=FULL syncs the log at each commit."""
    for pragma, expected in (("synchronous", 2), ("journal_mode", "wal")):
        row = await backend.database.transact(lambda tx, p=pragma: tx.one(Query("test:pragma", f"PRAGMA {p}")))
        assert row is not None
        assert row[pragma] == expected
