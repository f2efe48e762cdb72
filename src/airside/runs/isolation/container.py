"""Attempts in containers: docker, podman or bubblewrap around a Python of its own, the gateways its only way out.

Nothing is preloaded here: each attempt starts a Python and imports its agent, which takes about as long as the import.
What the container needs to know, the token and granted variables among it, comes over its standard input, so that no
command line on the machine shows it.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog
from msgspec import structs

from airside.config.sandbox import ContainerSettings
from airside.core.errors import AirsideError, Code
from airside.linux import cgroups, containers, engines, syscalls, tree
from airside.runs.isolation import bridge, wire
from airside.runs.isolation.attempt import OUTPUT_BYTES_KEPT, REPORT_OVERHEAD_BYTES, judge, too_large
from airside.runs.isolation.port import AttemptEnd, AttemptProcess, AttemptSpec, EndKind
from airside.runs.isolation.process import ProcessLauncher

PORT: Final = 7_878  # of the gateways, inside
GATEWAY: Final = "/gateway/gateway.sock"
MODULE: Final = "airside.adapters.boxed"
READY: Final = b"R"
START_S: Final = 60.0
TERM_GRACE_S: Final = 1.0
GONE_S: Final = 3.0
PROCESSES_BESIDE: Final = 4  # the container's own: its first process, bubblewrap's two, the relay

_log = structlog.get_logger(__name__)


class ContainerLauncher(ProcessLauncher):
    """Starts each attempt in a container of its own."""

    def __init__(self, settings: ContainerSettings) -> None:
        super().__init__()
        self._settings = settings
        self._engine = ""

    async def start(self, spec: AttemptSpec) -> AttemptProcess:
        """Start an attempt; raises AirsideError `misconfigured` if containers cannot be had."""
        engine = await self.engine()
        orders = structs.replace(self.orders(spec), gateway_url=f"http://127.0.0.1:{PORT}")
        passed = {name: os.environ[name] for name in spec.agent.env_pass if name in os.environ}
        entry = "" if spec.agent.adapter == "command" else spec.agent.entry
        path = tuple(str(folder.absolute()) for folder in spec.agent.path)
        preload = wire.Preload(adapter=spec.agent.adapter, entry=entry, path=path)
        boxed = wire.Boxed(preload=preload, orders=orders, environment=passed, gateway=GATEWAY)
        attempt = BoxedAttempt(boxed, engine, self._settings)
        await attempt.start()
        return attempt

    async def engine(self) -> str:
        """Return what containers are started with; raises AirsideError `misconfigured`."""
        if not self._engine:
            self._engine, problem = await engines.working(self._settings.engine)
            if not self._engine:
                raise AirsideError(
                    Code.MISCONFIGURED,
                    f"runs.isolation is container, and nothing starts containers here: {problem}",
                    advice="Start a Docker or Podman service, install bubblewrap, or set runs.isolation to auto.",
                )
            if self._engine != "bubblewrap" and not self._settings.attempt_image:
                self._engine = ""
                raise AirsideError(Code.MISCONFIGURED, "attempts in containers need sandbox.container.attempt_image")
        return self._engine


class BoxedAttempt:
    """Implements AttemptProcess."""

    def __init__(self, boxed: wire.Boxed, engine: str, settings: ContainerSettings) -> None:
        self._boxed = boxed
        self._orders = boxed.orders
        self._engine = engine
        self._settings = settings
        self._name = f"airside-{uuid4().hex}"
        self._folder = ""
        self._group: cgroups.Group | None = None
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._end: asyncio.Task[AttemptEnd] | None = None

    async def start(self) -> None:
        """Start the container and its bridge to the gateways."""
        self._folder = tempfile.mkdtemp(prefix="airside-gateway-")
        socket = str(Path(self._folder) / "gateway.sock")
        self._server = await asyncio.start_unix_server(self._join, socket)
        os.chmod(socket, 0o666)  # noqa: PTH101, S103 - in a folder of our own; inside it is somebody else who connects
        seccomp = os.memfd_create("seccomp", 0)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(seccomp, socket),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(seccomp,),
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")},
                start_new_session=True,
            )
        except BaseException:
            await self._clean()
            raise
        finally:
            os.close(seccomp)
        self._end = asyncio.create_task(self._watch(self._process))

    async def wait(self) -> AttemptEnd:
        """Return how it ended."""
        assert self._end is not None, "it was started"
        return await asyncio.shield(self._end)

    async def stop(self) -> None:
        """Ask it to end; what has not after a second is killed."""
        assert self._end is not None, "it was started"
        assert self._process is not None, "it was started"
        self._stopping = True
        tree.send(tree.descendants(self._process.pid), signal.SIGTERM)
        done, _ = await asyncio.wait([self._end], timeout=TERM_GRACE_S)
        if not done:
            self._kill()
        await asyncio.wait([self._end])

    def _command(self, seccomp: int, socket: str) -> list[str]:
        orders = self._orders
        box = containers.Box(
            memory_bytes=orders.memory_bytes_max,
            cpus=self._settings.cpus,
            processes=orders.processes_max + PROCESSES_BESIDE,
            open_files=orders.open_files_max,
            files_bytes=orders.memory_bytes_max // 4,
            cpu_s=0.0,
            lifetime_s=0.0,
            environment={"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            readable=self._boxed.preload.path,
            sockets={socket: GATEWAY},
        )
        if self._engine != "bubblewrap":
            profile = str(self._settings.seccomp.absolute()) if self._settings.seccomp else ""
            program = ("python3", "-P", "-m", MODULE)
            image, runtime = self._settings.attempt_image, self._settings.runtime
            return containers.docker(self._engine, runtime, image, self._name, box, profile, program)
        os.write(seccomp, syscalls.program())
        os.lseek(seccomp, 0, os.SEEK_SET)
        box = structs.replace(box, readable=_beside_the_system(orders.readable))
        self._group = cgroups.make(memory_bytes=box.memory_bytes, processes=box.processes)
        if self._group is None:
            _log.warning("isolation_weaker", isolation="container", missing="limits over all processes (cgroup)")
        program = (sys.executable, "-P", "-m", MODULE)
        return containers.bubblewrap(program, box, seccomp, privileged=os.geteuid() == 0)

    async def _watch(self, process: asyncio.subprocess.Process) -> AttemptEnd:
        assert process.stdout is not None, "started with pipes"
        assert process.stderr is not None, "started with pipes"
        printing = asyncio.create_task(_tail(process.stderr))
        most = self._orders.result_bytes_max + REPORT_OVERHEAD_BYTES
        written = b""
        try:
            await self._introduce(process)
            while len(written) <= most and (data := await process.stdout.read(1 << 16)):
                written += data
            if len(written) <= most:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GONE_S):
                        await process.wait()
        finally:
            self._kill()
            await _read_away(process)
            await self._clean()
        await asyncio.wait([printing], timeout=GONE_S)
        printed = b"" if printing.cancel() else printing.result()
        if len(written) > most:
            return too_large(self._orders)
        if self._stopping:
            return AttemptEnd(EndKind.STOPPED, message="airside ended the attempt")
        return judge(self._orders, _exited(process.returncode), written, printed)

    async def _introduce(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it is up, bound all its processes together, and tell it what to do."""
        assert process.stdin is not None, "started with pipes"
        assert process.stdout is not None, "started with pipes"
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(START_S):
                if await process.stdout.read(1) != READY:
                    return
                if self._group is not None:
                    self._group.add({process.pid, *tree.descendants(process.pid)})
                process.stdin.write(wire.encode(self._boxed))
                await process.stdin.drain()
                process.stdin.close()

    def _kill(self) -> None:
        """Kill the container's first process here, with which everything inside ends."""
        if self._process is not None and self._process.returncode is None:
            tree.send({self._process.pid}, signal.SIGKILL)  # Popen's own way would bury it before asyncio can

    async def _clean(self) -> None:
        if self._server:
            self._server.close()
        if self._engine != "bubblewrap":
            await engines.remove(containers.removal(self._engine, self._name))
        if self._group is not None:
            await asyncio.to_thread(self._group.remove)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await bridge.join(reader, writer, self._orders.gateway_socket, self._orders.gateway_outside)


def _beside_the_system(places: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is not visible anyway, none inside another: a container cannot lay a place twice."""
    kept: list[str] = []
    for place in sorted(set(places)):
        visible = ("/usr", "/lib", "/bin", "/sbin", sys.base_prefix, *kept)
        if not any(Path(place).is_relative_to(seen) for seen in visible):
            kept.append(place)
    return tuple(kept)


def _exited(status: int | None) -> wire.Exited:
    """Return how the agent ended; what starts it tells signals as shells do."""
    code = status if status is not None else 0
    number = -code if code < 0 else code - 128 if code > 128 else 0
    return wire.Exited(exit_code=0 if number else code, signal=number)


async def _tail(reader: asyncio.StreamReader) -> bytes:
    kept = b""
    while data := await reader.read(1 << 16):
        kept = (kept + data)[-OUTPUT_BYTES_KEPT:]
    return kept


async def _read_away(process: asyncio.subprocess.Process) -> None:
    """Wait for the end; asyncio sees it only behind what the process has written."""
    assert process.stdout is not None, "started with pipes"
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(GONE_S):
            while await process.stdout.read(1 << 20):
                continue
            await process.wait()
