"""The tier `wasm`: each execution in a WebAssembly engine of its own, in a process of its own that ends with it.

A process that has the engine loaded waits as a spare, so that an execution need not wait for one. What goes wrong
inside, the engine's own death included, is told as the result or as `tool_failed`; nothing of it reaches this process.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog

from airside.core.errors import AirsideError, Code
from airside.linux import tree
from airside.linux.commands import last_line, run_to_end
from airside.sandbox import compiled, wire
from airside.sandbox.conversation import Conversation, TalkedTooMuch, frame_bytes_max
from airside.sandbox.port import CallTool, Limit, Limits, Meters, Result, limit_text
from airside.sandbox.port import Code as AgentCode

TIER: Final = "wasm"
START_TIMEOUT_S: Final = 30.0
COMPILE_TIMEOUT_S: Final = 1_800.0
END_S: Final = 10.0
GRACE_S: Final = 1.0  # beyond the deadline, for the engine to tell what it was doing
_PROGRAM: Final = files("airside.sandbox").joinpath("guest.py").read_text()

_log = structlog.get_logger(__name__)


class Child:
    """A process with the engine loaded."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "started with pipes"
        assert process.stdout is not None, "started with pipes"
        self._process = process
        self.writer = process.stdin
        self.reader = process.stdout

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be given a job."""
        return self._process.returncode is None

    @classmethod
    async def start(cls, place: compiled.Compiled) -> "Child":
        """Start one and return when it is ready; raises AirsideError `misconfigured` if it cannot be."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "airside.sandbox.wasm_child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath},
            cwd="/",
            start_new_session=True,
        )
        child = cls(process)
        setup = wire.Setup(compiled=str(place.engine), library=str(place.library), parent=os.getpid())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                child.writer.write(wire.frame(wire.SETUP, setup))
                kind, payload = await wire.receive(child.reader, 1 << 16)
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            kind, payload = wire.PROBLEM, b"it died"
        except BaseException:
            await child.end()
            raise
        if kind != wire.READY:
            await child.end()
            problem = payload.decode(errors="replace")
            raise AirsideError(Code.MISCONFIGURED, f"the sandbox's process did not start: {problem}")
        return child

    async def end(self) -> int | None:
        """Kill it if it still runs; return its exit status."""
        if self._process.returncode is None:
            tree.send({self._process.pid}, signal.SIGKILL)  # Popen's own way would bury it before asyncio can
        self.writer.close()
        await wire.ended(self._process, END_S)
        return self._process.returncode


class WasmSandbox:
    """Implements `Sandbox`. `folder` keeps the compiled engine; `spares` processes wait for work."""

    def __init__(self, folder: Path, *, spares: int, executions_max: int) -> None:
        self._folder = folder
        self._spares_wanted = spares
        self._slots = asyncio.Semaphore(executions_max)
        self._spares: list[asyncio.Task[Child]] = []
        self._running: set[Child] = set()
        self._place: asyncio.Task[compiled.Compiled] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to prepare, in the background; raises AirsideError `misconfigured` if the packages are missing."""
        compiled.place(self._folder)
        self._preparing = asyncio.create_task(self._prepare_quietly())

    async def prepare(self) -> compiled.Compiled:
        """Compile the engine unless that was done, and keep spares ready; raises AirsideError `misconfigured`."""
        if self._place is None or (self._place.done() and (self._place.cancelled() or self._place.exception())):
            self._place = asyncio.create_task(_prepared(self._folder))
        place = await asyncio.shield(self._place)
        self._fill(place)
        return place

    async def execute(self, code: AgentCode, limits: Limits, call_tool: CallTool) -> Result:
        """Execute code; see `Sandbox.execute`."""
        async with self._slots:
            child = await self._take()
            self._running.add(child)
            try:
                return await _converse(child, code, limits, call_tool)
            finally:
                self._running.discard(child)
                await child.end()

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        if self._preparing:
            self._preparing.cancel()
        if self._place and not self._place.done():
            self._place.cancel()
            with contextlib.suppress(asyncio.CancelledError, AirsideError):
                await self._place
        for starting in self._spares:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, AirsideError):
                await (await starting).end()
        self._spares.clear()
        for child in list(self._running):
            await child.end()

    async def _prepare_quietly(self) -> None:
        try:
            await self.prepare()
        except AirsideError as error:
            _log.error("sandbox_not_ready", message=error.message)  # whoever calls it is told again

    async def _take(self) -> Child:
        place = await self.prepare()
        while self._spares:
            with contextlib.suppress(AirsideError):
                child = await self._spares.pop(0)
                if child.alive:
                    self._fill(place)
                    return child
                await child.end()
        return await Child.start(place)

    def _fill(self, place: compiled.Compiled) -> None:
        while len(self._spares) < self._spares_wanted and not self._closed:
            self._spares.append(asyncio.create_task(Child.start(place)))


async def _prepared(folder: Path) -> compiled.Compiled:
    place = compiled.place(folder)
    if place.complete:
        return place
    _log.info("sandbox_compiles", folder=str(folder), takes="one to two minutes, once")
    compiling = (sys.executable, "-I", "-m", "airside.sandbox.compiled", str(folder))
    status, said = await run_to_end(compiling, COMPILE_TIMEOUT_S)
    if status:
        raise AirsideError(
            Code.MISCONFIGURED, f"the sandbox's engine could not be compiled: {last_line(said, 'it died')}"
        )
    return place


async def _converse(child: Child, code: AgentCode, limits: Limits, call_tool: CallTool) -> Result:
    """Give a job, answer what is asked, and make a result of the end."""
    started_s = time.monotonic()
    talk = Conversation(code, limits, call_tool)
    ended: wire.Ended | None = None
    try:
        async with asyncio.timeout(limits.deadline_s + GRACE_S):
            ended = await _until_the_end(child, talk, _job(code, limits), frame_bytes_max(limits))
    except TimeoutError:
        talk.limit = Limit.DEADLINE
    except (TalkedTooMuch, wire.FrameTooLarge):
        talk.limit = talk.limit or Limit.RESULT
    except (asyncio.IncompleteReadError, OSError):
        status = await child.end()
        raise AirsideError(
            Code.TOOL_FAILED,
            f"the sandbox's process died ({status}); nothing else was harmed",
            details={"exit_status": status},
        ) from None
    return concluded(talk, ended, limits, time.monotonic() - started_s)


def _job(code: AgentCode, limits: Limits) -> wire.Job:
    return wire.Job(
        program=_PROGRAM,
        fuel=limits.fuel,
        memory_bytes=limits.memory_bytes,
        deadline_s=limits.deadline_s,
        output_bytes=limits.output_bytes,
        files_bytes=limits.files_bytes,
        open_files=limits.open_files,
        frame_bytes=frame_bytes_max(limits),
        seed=code.seed,
        start_us=code.start_us,
    )


async def _until_the_end(child: Child, talk: Conversation, job: wire.Job, frame_bytes: int) -> wire.Ended:
    child.writer.write(wire.frame(wire.JOB, job))
    while True:
        kind, payload = await wire.receive(child.reader, frame_bytes + job.output_bytes)
        if kind == wire.HOST_CALL:
            child.writer.write(wire.frame(wire.ANSWER, await talk.answer(payload)))
            await child.writer.drain()
        elif kind == wire.ENDED:
            return wire.ended_decoder.decode(payload)
        else:
            raise AirsideError(Code.TOOL_FAILED, f"the sandbox failed: {payload.decode(errors='replace')}")


def concluded(talk: Conversation, ended: wire.Ended | None, limits: Limits, wall_s: float) -> Result:
    """Return what an execution comes to; `ended` is None if it had to be killed. Pure.

    What the engine says of a limit stands above what the guest said: only the engine can be believed.
    """
    limit = (ended.limit if ended else "") or talk.limit
    error = talk.error
    if limit:
        error = limit_text(limit, limits) + (f" ({error})" if error else "")
    elif ended and not talk.ended:
        error = f"the code ended its interpreter ({ended.trap or f'exit code {ended.exit_code}'}) and left no result"
    output = ended.output if ended else b""
    meters = Meters(
        tier=TIER,
        fuel=ended.fuel if ended else None,
        memory_peak_bytes=ended.memory_peak_bytes if ended else 0,
        wall_s=wall_s,
        cpu_s=ended.cpu_s if ended else 0.0,
        output_bytes=len(output),
        open_files_peak=ended.open_files_peak if ended else None,
        tool_calls=talk.tool_calls,
        limit=limit,
    )
    return Result(
        output=output.decode(errors="replace"), value=talk.value, error=error, files=talk.files, meters=meters
    )
