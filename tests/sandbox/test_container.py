"""The tier `container`: the commands that protect, and, where this machine has bubblewrap, what they protect from.

Docker and podman commands are tested as built: no engine runs where these tests do.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from airside.config.sandbox import ContainerSettings
from airside.core.errors import AirsideError, Code
from airside.linux import cgroups, containers, tree
from airside.sandbox.container import ContainerSandbox, working_engine
from airside.sandbox.port import Limit
from tests.sandbox.conftest import LIMITS, execute, until, value

BOX = containers.Box(
    memory_bytes=268_435_456,
    cpus=1.5,
    processes=16,
    open_files=64,
    files_bytes=1_048_576,
    cpu_s=2.5,
    lifetime_s=40.0,
)


@pytest.fixture
async def container() -> AsyncIterator[ContainerSandbox]:
    try:
        await working_engine("bubblewrap")
    except AirsideError as error:
        pytest.skip(f"nothing ran: {error.message}")
    sandbox = ContainerSandbox(ContainerSettings(engine="bubblewrap"), executions_max=4)
    yield sandbox
    await sandbox.close()


@pytest.mark.parametrize(
    ("engine", "runtime", "told"),
    [
        ("docker", "runc", ["--runtime", "runc"]),
        ("docker", "runsc", ["--runtime", "runsc"]),
        ("docker", "kata", ["--runtime", "io.containerd.kata.v2"]),
        ("podman", "kata", ["--runtime", "kata"]),
    ],
)
def test_containers_are_started_with_every_lock_on(engine, runtime, told):
    command = containers.docker(engine, runtime, "python:3", "name", BOX, "/p.json", ["python3", "-c", "pass"])
    text = " ".join(command)
    assert command[0] == engine
    assert " ".join(told) in text
    for flag in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--security-opt seccomp=/p.json",
        "--user 65534:65534",
        "--pids-limit 16",
        "--memory 268435456 --memory-swap 268435456",
        "--cpus 1.5",
        "--ulimit nofile=64:64",
        "--ulimit cpu=3:5",
        "--tmpfs /sandbox:rw,noexec,nosuid,nodev,size=1048576",
        "--pull never",
        "--rm",
    ):
        assert flag in text, flag
    assert "--privileged" not in text
    assert "docker.sock" not in text
    assert command[command.index("python:3") :] == ["python:3", "-s", "KILL", "40", "python3", "-c", "pass"]


@pytest.mark.parametrize("privileged", [True, False])
def test_bubblewrap_shows_nothing_but_programs(privileged):
    command = containers.bubblewrap(["python3"], BOX, 9, privileged=privileged)
    bound = [command[at + 1] for at, word in enumerate(command) if word in {"--ro-bind", "--bind"}]
    assert not {"/", "/etc", "/home", "/root", "/tmp", "/run", "/var", "/proc"} & set(bound)
    assert "--bind" not in command
    assert {"--unshare-net", "--unshare-pid", "--die-with-parent", "--new-session", "--clearenv"} <= set(command)
    assert ("--unshare-user" in command) is not privileged
    assert command[command.index("--seccomp") + 1] == "9"
    assert command[-1] == "python3"


async def test_without_any_engine_the_refusal_says_what_was_tried(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AirsideError, match="docker: not installed; podman: not installed; bubblewrap: not") as told:
        await ContainerSandbox(ContainerSettings(), executions_max=1).execute(None, LIMITS, None)
    assert told.value.code == Code.MISCONFIGURED


async def test_a_docker_client_without_a_daemon_is_not_used(monkeypatch, tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(AirsideError, match="Cannot connect"):
        await working_engine("docker")


async def test_inputs_files_output_tools_and_result(container):
    async def lookup(name: str, arguments: bytes) -> bytes:
        return arguments

    source = """
print(inputs["a"])
result = [len(open("in.txt").read()), tools.lookup(n=7)]
open("out.txt", "w").write("made inside")
"""
    given = {"inputs": b'{"a": [1, 2]}', "files": {"in.txt": b"hello"}, "tools": ("lookup",)}
    result = await execute(container, source, call_tool=lookup, **given)
    assert value(result) == [5, {"n": 7}]
    assert result.output == "[1, 2]\n"
    assert result.files == {"out.txt": b"made inside"}
    assert result.meters.tool_calls == 1


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("while True: pass", Limit.CPU),
        ("x = bytearray(10**9)", Limit.MEMORY),
        ("import time\ntime.sleep(60)", Limit.DEADLINE),
        ("while True: print('x' * 1000)", Limit.OUTPUT),
        ("result = 'x' * 100_000", Limit.RESULT),
        ("kept = [open(f'f{n}', 'w') for n in range(100)]", Limit.OPEN_FILES),
        ("open('big', 'wb').write(b'x' * 5_000_000)", Limit.FILES),
        ("import os\nwhile True: os.fork()", Limit.PROCESSES),
    ],
)
async def test_each_limit_ends_what_passes_it_and_is_named(container, source, limit):
    if limit == Limit.PROCESSES and not _has_group():
        pytest.skip("no control group here: processes are bounded for a whole user only")
    limits = msgspec.structs.replace(LIMITS, cpu_s=1.0, deadline_s=2.0 if limit == Limit.DEADLINE else 30.0)
    result = await execute(container, source, limits)
    assert result.meters.limit == limit
    assert result.error.startswith(limit)


async def test_memory_of_all_processes_counts_together(container):
    if not _has_group():
        pytest.skip("no control group here: memory is bounded for each process")
    source = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        kept = bytearray(100_000_000)
        for at in range(0, len(kept), 4096): kept[at] = 1
        time.sleep(60)
time.sleep(60)
"""
    limits = msgspec.structs.replace(LIMITS, deadline_s=5.0)
    result = await execute(container, source, limits)
    assert result.error
    assert result.meters.memory_peak_bytes <= LIMITS.memory_bytes


async def test_it_is_nobody_and_alone(container):
    source = """
import os, socket
names = sorted(name for name in os.listdir("/") if name not in ("lib", "lib32", "lib64", "bin", "sbin"))
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
nets = [name for _, name in socket.if_nameindex()]
result = [os.getuid(), names, max(pids) < 20, nets, sorted(os.environ)]
"""
    uid, names, few, nets, environment = value(await execute(container, source))
    assert uid == 65534
    assert set(names) <= {"dev", "proc", "usr", "sandbox", "root", "home", "opt"}
    assert few
    assert nets == ["lo"]
    assert set(environment) <= {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "PWD", "LC_CTYPE"}


async def test_everything_is_gone_when_it_is_cancelled(container):
    source = "import os, time\nos.fork()\nos.fork()\ntime.sleep(60)"
    running = asyncio.create_task(execute(container, source))
    await until(lambda: len(_inside()) >= 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not _inside())


def _inside() -> set[int]:
    return {pid for pid in tree.descendants(os.getpid()) if _is_python_inside(pid)}


def _is_python_inside(pid: int) -> bool:
    try:
        return b"give_up_privilege" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _has_group() -> bool:
    group = cgroups.make(memory_bytes=1 << 20, processes=4)
    return group is not None and group.remove()


async def test_a_frame_that_is_too_large_is_not_waited_for(container):
    """What a killed process has written and nobody reads must not keep its end from being seen."""
    source = """
import os
for fd in range(3, 10):
    try: os.write(fd, (10**8).to_bytes(4, "big") + b"H" + b"x" * 10**7)
    except OSError: pass
"""
    async with asyncio.timeout(20):
        result = await execute(container, source)
    assert result.meters.limit == Limit.RESULT
