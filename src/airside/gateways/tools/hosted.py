"""The gateway's side of the tool host: starts it, supervises it, sends it calls and notices when it dies.

What a fault means for a call is decided in `faults.py`; here is only known what was sent and what came back.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final

import structlog
from msgspec import Struct

from airside.config.tools import ToolSettings
from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.tools import frames
from airside.gateways.tools.faults import Fault, fault_error
from airside.gateways.tools.printed import relay
from airside.linux.commands import kept

ENVIRONMENT_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
)
START_TIMEOUT_S: Final = 60.0
BACKOFF_S: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
HEALTHY_S: Final = 10.0

_log = structlog.get_logger(__name__)

Answer = frames.Returned | frames.Raised


class _Execution(Struct):
    """One call that was sent. `overdue` once its time was over: it keeps its slot until the host is done with it."""

    answer: asyncio.Future[Answer]
    overdue: bool = False


class _Process(Struct):
    """One life of the host."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def hears(self) -> bool:
        """Whether frames can still be sent; false from the moment it dies, a little before it is buried."""
        return not self.writer.is_closing()

    def kill(self) -> None:
        """End the host and everything it started; it leads a session of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class HostDied(Exception):
    """The host died while it executed a call."""


class HostedTools:
    """Runs the configured `@tool` functions in a host process. `on_tools` is told the manifests at every start.

    `way_out` are the variables by which its HTTP clients find the egress proxy.
    """

    def __init__(
        self,
        settings: ToolSettings,
        on_tools: Callable[[tuple[Tool, ...]], None],
        way_out: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._way_out = way_out
        self._on_tools = on_tools
        self._slots = asyncio.Semaphore(settings.concurrency_max)
        self._executions: dict[int, _Execution] = {}
        self._number = 0
        self._life: _Process | None = None
        self._ready = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running host, or None."""
        return self._life.process.pid if self._life and self._ready.is_set() else None

    async def start(self) -> None:
        """Start the host and return when its tools are known; without modules there is nothing to start.

        Raises AirsideError `misconfigured` if a module cannot be imported or the host does not come up.
        """
        if not self._settings.modules:
            return
        life = await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(life), name="tool host supervisor")

    async def close(self) -> None:
        """End the host and whatever its tools started."""
        if self._supervisor:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
        if self._life:  # the supervisor was cancelled before it had begun
            await self._bury(self._life)

    async def execute(self, call: Call) -> Answer:
        """Send a call to the host and return its answer.

        Raises what `fault_error` makes of a fault; the slot of an overdue call stays taken until the host is done.
        """
        try:
            async with asyncio.timeout(call.timeout_s):
                await self._slots.acquire()
                try:
                    await self._ready.wait()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError:
            raise fault_error(call, Fault.NOT_SENT) from None
        return await self._exchange(call)

    async def _exchange(self, call: Call) -> Answer:
        life = self._life
        if life is None or not life.hears:  # it died between the event and now
            self._slots.release()
            raise fault_error(call, Fault.NOT_SENT)
        self._number += 1
        number = self._number
        execution = _Execution(asyncio.get_running_loop().create_future())
        self._executions[number] = execution
        life.writer.write(frames.encode(_invoke(number, call)))
        try:
            async with asyncio.timeout(call.timeout_s):
                return await execution.answer
        except HostDied:
            raise fault_error(call, Fault.HOST_DIED) from None
        except TimeoutError:
            self._abandon(life, number, execution, cancel=True)
            raise fault_error(call, Fault.TIMEOUT) from None
        except asyncio.CancelledError:
            self._abandon(life, number, execution, cancel=not call.side_effect)
            raise

    def _abandon(self, life: _Process, number: int, execution: _Execution, *, cancel: bool) -> None:
        """Stop waiting for an execution. When every slot is held by such, only a new host can help."""
        if number not in self._executions:
            return
        execution.overdue = True
        if cancel and life.hears:
            life.writer.write(frames.encode(frames.Cancel(number)))
        overdue = sum(execution.overdue for execution in self._executions.values())
        if overdue >= self._settings.concurrency_max:
            _log.warning("tool_host_hangs", executions=overdue)
            life.kill()

    async def _supervise(self, life: _Process) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        try:
            while True:
                since = clock()
                await self._listen(life)
                await self._bury(life)
                failures = 0 if clock() - since > HEALTHY_S else failures
                life, failures = await self._respawn(failures)
        finally:
            if self._life:
                await self._bury(self._life)

    async def _respawn(self, failures: int) -> tuple[_Process, int]:
        while True:
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
            try:
                return await self._spawn(), failures
            except AirsideError as error:
                _log.error("the tool host cannot be started again: %s", error.message)

    async def _listen(self, life: _Process) -> None:
        """Hand out answers until the host is gone."""
        while True:
            try:
                frame = await frames.receive(life.reader, frames.from_host)
            except ValueError:
                _log.warning("tool_host_sent_garbage")
                return
            if not isinstance(frame, frames.Returned | frames.Raised):
                return
            execution = self._executions.pop(frame.number, None)
            if execution is None:
                continue
            self._slots.release()
            if not execution.answer.done():  # else nobody waits for it any more
                execution.answer.set_result(frame)

    async def _bury(self, life: _Process) -> None:
        """End one life of the host for good, and tell every call that was in flight."""
        self._ready.clear()
        self._life = None
        life.kill()
        code = await life.process.wait()
        life.writer.close()
        executions, self._executions = self._executions, {}
        if executions:
            _log.warning("tool_host_ended", exit_code=code, in_flight=len(executions))
        for execution in executions.values():
            self._slots.release()
            if not execution.answer.done():  # else nobody waits for it any more
                execution.answer.set_exception(HostDied())

    async def _spawn(self) -> _Process:
        ours, theirs = socket.socketpair()
        printing = relay()
        with theirs, os.fdopen(printing, "wb"):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "airside.gateways.tools.host", "--fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printing,
                stderr=printing,
                env=environment(self._settings.env_pass) | dict(self._way_out),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        life = _Process(process, reader, writer)
        try:
            self._on_tools(await self._introduce(life))
        except BaseException:
            await self._bury(life)
            raise
        self._life = life
        self._ready.set()
        return life

    async def _introduce(self, life: _Process) -> tuple[Tool, ...]:
        settings = self._settings
        path = tuple(str(folder) for folder in settings.path)
        life.writer.write(frames.encode(frames.Start(tuple(settings.modules), path, settings.result_bytes_max)))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                frame = await frames.receive(life.reader, frames.from_host)
        except TimeoutError:
            raise AirsideError(
                Code.MISCONFIGURED, f"tools.modules are not imported after {START_TIMEOUT_S:.0f} s"
            ) from None
        if isinstance(frame, frames.Ready):
            return frame.tools
        said = frame.message if isinstance(frame, frames.Failed) else "the tool host died while it started"
        raise AirsideError(Code.MISCONFIGURED, said)


def environment(passed: list[str]) -> dict[str, str]:
    """Return the environment of the tool host: what Python needs, and what the operator passes by name."""
    return kept((*ENVIRONMENT_KEPT, *passed))


def _invoke(number: int, call: Call) -> frames.Invoke:
    return frames.Invoke(
        number=number,
        tool=call.name,
        arguments=call.parts[0],
        call_id=call.call_id,
        run_id=call.who.run_id,
        tenant_id=call.who.tenant_id,
        secrets=dict(call.secrets),
    )
