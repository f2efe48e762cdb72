"""The tier `container`: each execution in a container of its own, by docker, podman or bubblewrap.

It runs the machine's CPython (or an image's) as it is, so nothing is counted to the instruction; what holds is the
kernel: namespaces without a network, a read-only view, no privilege, a filter of system calls, a control group. With
`runsc` or `kata` the kernel it sees is not even this machine's.
"""

import asyncio
import os
import signal
import sys
import time
from importlib.resources import files
from typing import Final
from uuid import uuid4

import structlog
from msgspec import Struct

from airside.config.sandbox import ContainerSettings
from airside.core.errors import AirsideError, Code
from airside.linux import cgroups, containers, engines, syscalls, tree
from airside.sandbox import wire
from airside.sandbox.conversation import Conversation, TalkedTooMuch, frame_bytes_max
from airside.sandbox.port import CallTool, Limit, Limits, Meters, Result, limit_text
from airside.sandbox.port import Code as AgentCode

TIER: Final = "container"
GRACE_S: Final = 1.0
END_S: Final = 10.0
_PROGRAM: Final = files("airside.sandbox").joinpath("guest.py").read_text()
_PYTHON: Final = os.path.realpath(sys.executable)
_KILLED_FOR_CPU: Final = frozenset({-24, 24, 152})  # SIGXCPU, as a signal and as shells and runtimes tell it

_log = structlog.get_logger(__name__)


class Left(Struct):
    """What an execution leaves besides its conversation."""

    output: bytearray
    overflow: bool = False
    late: bool = False
    status: int | None = None


class ContainerSandbox:
    """Implements `Sandbox`."""

    def __init__(self, settings: ContainerSettings, *, executions_max: int) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(executions_max)
        self._engine: asyncio.Task[str] | None = None
        self._running: set[asyncio.subprocess.Process] = set()

    async def engine(self) -> str:
        """Return what containers are started with; raises AirsideError `misconfigured` if nothing works."""
        if self._engine is None or (self._engine.done() and self._engine.exception()):
            self._engine = asyncio.create_task(working_engine(self._settings.engine))
        return await asyncio.shield(self._engine)

    async def execute(self, code: AgentCode, limits: Limits, call_tool: CallTool) -> Result:
        """Execute code; see `Sandbox.execute`."""
        engine = await self.engine()
        async with self._slots:
            talk = Conversation(code, limits, call_tool)
            if engine == "bubblewrap":
                return await self._wrapped(talk, limits)
            return await self._contained(engine, talk, limits)

    async def close(self) -> None:
        """End every container."""
        for process in list(self._running):
            _kill(process)

    async def _contained(self, engine: str, talk: Conversation, limits: Limits) -> Result:
        name = f"airside-{uuid4().hex}"
        settings = self._settings
        seccomp = str(settings.seccomp.absolute()) if settings.seccomp else ""
        program = ("python3", "-I", "-c", _PROGRAM, *_rlimits(limits))
        command = containers.docker(
            engine, settings.runtime, settings.image, name, _box(limits, settings.cpus), seccomp, program
        )
        try:
            return await self._run(command, (), talk, limits, None)
        finally:
            await engines.remove(containers.removal(engine, name))

    async def _wrapped(self, talk: Conversation, limits: Limits) -> Result:
        group = cgroups.make(memory_bytes=limits.memory_bytes, processes=limits.processes + 2)  # bubblewrap's own two
        if group is None:
            _log.warning("sandbox_weaker", missing="no control group: memory and processes are bounded one by one")
        seccomp = os.memfd_create("seccomp", 0)
        os.write(seccomp, syscalls.program())
        os.lseek(seccomp, 0, os.SEEK_SET)
        program = (_PYTHON, "-I", "-c", _PROGRAM, *_rlimits(limits, alone=group is None))
        box = _box(limits, self._settings.cpus)
        command = containers.bubblewrap(program, box, seccomp, privileged=os.geteuid() == 0)
        try:
            return await self._run(command, (seccomp,), talk, limits, group)
        finally:
            os.close(seccomp)
            if group is not None:
                await asyncio.to_thread(group.remove)

    async def _run(
        self,
        command: list[str],
        descriptors: tuple[int, ...],
        talk: Conversation,
        limits: Limits,
        group: cgroups.Group | None,
    ) -> Result:
        started_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")},
            start_new_session=True,
        )
        self._running.add(process)
        left = Left(bytearray())
        printing = asyncio.create_task(_collect(process, left, limits.output_bytes))
        try:
            async with asyncio.timeout(limits.deadline_s + GRACE_S):
                await _talk(process, talk, limits, group)
                await process.wait()
        except TimeoutError:
            left.late = True
        except (TalkedTooMuch, wire.FrameTooLarge):
            talk.limit = talk.limit or Limit.RESULT
        finally:
            _kill(process)
            await wire.ended(process, END_S)
            left.status = process.returncode
            await asyncio.wait([printing], timeout=END_S)
            printing.cancel()
            self._running.discard(process)
        return concluded(talk, left, limits, group, time.monotonic() - started_s)


async def _talk(
    process: asyncio.subprocess.Process, talk: Conversation, limits: Limits, group: cgroups.Group | None
) -> None:
    """Answer until it ends. Its first word is answered only once all its processes are in the control group."""
    assert process.stdin is not None, "started with pipes"
    assert process.stdout is not None, "started with pipes"
    bounded = group is None
    while True:
        try:
            kind, payload = await wire.receive(process.stdout, frame_bytes_max(limits))
            if not bounded and group is not None:
                group.add({process.pid, *tree.descendants(process.pid)})
                bounded = True
            answer = await talk.answer(payload if kind == wire.HOST_CALL else b"")
            process.stdin.write(wire.frame(wire.ANSWER, answer))
            await process.stdin.drain()
        except (asyncio.IncompleteReadError, OSError):
            return


async def _collect(process: asyncio.subprocess.Process, left: Left, output_bytes: int) -> None:
    """Keep what is printed; too much of it is the end."""
    assert process.stderr is not None, "started with pipes"
    while data := await process.stderr.read(1 << 16):
        room = output_bytes - len(left.output)
        left.output += data[:room]
        if len(data) > room:
            left.overflow = True
            _kill(process)
            return


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a container's first process here, with which everything inside ends."""
    if process.returncode is None:
        tree.send({process.pid}, signal.SIGKILL)  # Popen's own way would bury it before asyncio can


def concluded(talk: Conversation, left: Left, limits: Limits, group: cgroups.Group | None, wall_s: float) -> Result:
    """Return what an execution comes to. What the kernel says of a limit stands above what the code said."""
    limit = _limit(talk, left, limits, group)
    error = talk.error
    if limit:
        error = limit_text(limit, limits) + (f" ({error})" if error else "")
    elif not talk.ended:
        error = f"the code ended its interpreter (exit status {left.status}) and left no result"
    meters = Meters(
        tier=TIER,
        fuel=None,
        memory_peak_bytes=group.memory_peak_bytes() if group else None,
        wall_s=wall_s,
        cpu_s=group.cpu_s() if group else None,
        output_bytes=len(left.output),
        open_files_peak=None,
        tool_calls=talk.tool_calls,
        limit=limit,
    )
    output = left.output.decode(errors="replace")
    return Result(output=output, value=talk.value, error=error, files=talk.files, meters=meters)


def _limit(talk: Conversation, left: Left, limits: Limits, group: cgroups.Group | None) -> str:
    if left.overflow:
        return Limit.OUTPUT
    if left.late:
        return Limit.DEADLINE
    if not talk.ended and (left.status in _KILLED_FOR_CPU or (group and (group.cpu_s() or 0.0) > limits.cpu_s)):
        return Limit.CPU
    if not talk.ended and group and group.out_of_memory():
        return Limit.MEMORY
    if talk.error and (talk.error.endswith("can't start new thread") or (group and group.refused_processes())):
        return Limit.PROCESSES
    return talk.limit


async def working_engine(wanted: str) -> str:
    """Return what containers can be started with here; raises AirsideError `misconfigured` if there is nothing."""
    engine, problem = await engines.working(wanted)
    if not engine:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"sandbox.container.engine is {wanted}, and nothing works: {problem}",
            advice="Start a Docker or Podman service, install bubblewrap, or set sandbox.tier to wasm.",
        )
    return engine


def _box(limits: Limits, cpus: float) -> containers.Box:
    return containers.Box(
        memory_bytes=limits.memory_bytes,
        cpus=cpus,
        processes=limits.processes,
        open_files=limits.open_files,
        files_bytes=limits.files_bytes,
        cpu_s=limits.cpu_s,
        lifetime_s=limits.deadline_s + END_S,
    )


def _rlimits(limits: Limits, *, alone: bool = False) -> list[str]:
    """Return what the program limits itself to before it runs code; `alone` where no group counts processes."""
    wanted = {
        "CORE": 0,
        "CPU": max(1, int(limits.cpu_s)),
        "NOFILE": limits.open_files,
        "FSIZE": limits.files_bytes,
        "AS": limits.memory_bytes,
        **({"NPROC": limits.processes} if alone else {}),
    }
    return [f"{name}={value}" for name, value in wanted.items()]
