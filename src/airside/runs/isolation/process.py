"""Attempts in processes of their own, forked from a process that has the agent imported already.

This contains faults (crashes, runaways, leaks), not malice: for that, see `namespace`.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec

from airside.core.errors import AirsideError, Code
from airside.runs.isolation import confine, view, wire
from airside.runs.isolation.attempt import ForkedAttempt, receive
from airside.runs.isolation.port import AttemptProcess, AttemptSpec

ZYGOTES_MAX: Final = 32
PRELOADS_MAX: Final = 3
LINKS_MAX: Final = 40  # as the kernel follows
PRELOAD_TIMEOUT_S: Final = 60.0


class ProcessLauncher:
    """Starts attempts in processes; keeps one preloaded process for each agent and release."""

    spaces = False

    def __init__(self) -> None:
        self._zygotes: OrderedDict[bytes, asyncio.Task[_Zygote]] = OrderedDict()

    async def start(self, spec: AttemptSpec) -> AttemptProcess:
        """Start an attempt; raises AirsideError `misconfigured` with file and line if the agent cannot be imported."""
        orders = self.orders(spec)
        for _ in range(2):  # a preloaded process that has died since its last attempt is replaced, once
            zygote = await self._preloaded(spec, orders.gateway_url)
            attempt = zygote.fork(orders)
            if attempt:
                return attempt
            await self._forget(zygote)
        raise AirsideError(Code.MISCONFIGURED, f"the preloaded process of agent {spec.agent_name!r} keeps dying")

    async def close(self) -> None:
        """End the preloaded processes. Attempts under way answer to nobody else and go on."""
        for starting in list(self._zygotes.values()):
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, AirsideError):
                await (await starting).close()
        self._zygotes.clear()

    def orders(self, spec: AttemptSpec) -> wire.Orders:
        """Return what the attempt is told."""
        paths = tuple(str(path.absolute()) for path in spec.agent.path)
        program = _folders(Path(spec.agent.command[0])) if spec.agent.command[:1] else ()
        interpreter = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
        return wire.Orders(
            run_id=spec.run_id,
            attempt=spec.attempt,
            adapter=spec.agent.adapter,
            command=tuple(spec.agent.command),
            input=spec.input,
            token=spec.token,
            gateway_url=spec.gateway_url.rstrip("/"),
            gateway_socket=spec.gateway_socket,
            gateway_outside=spec.gateway_url,
            model=spec.agent.model,
            tools=tuple(spec.agent.tools),
            seed=spec.seed,
            start_us=spec.start_us,
            clock=spec.clock,
            memory_bytes_max=spec.memory_bytes_max,
            processes_max=spec.processes_max,
            open_files_max=spec.open_files_max,
            result_bytes_max=spec.result_bytes_max,
            spaces=self.spaces,
            hidden=spec.hidden_paths,
            masked=view.masked_places() if self.spaces else (),
            readable=(*paths, *program, *interpreter),
        )

    async def _preloaded(self, spec: AttemptSpec, gateway_url: str) -> "_Zygote":
        key = msgspec.json.encode([spec.agent_name, spec.release, gateway_url, spec.agent.model_dump_json()])
        starting = self._zygotes.get(key)
        if starting is None:
            starting = self._zygotes[key] = asyncio.create_task(_preload(key, spec, gateway_url))
        self._zygotes.move_to_end(key)
        try:
            zygote = await asyncio.shield(starting)
        except AirsideError:
            self._zygotes.pop(key, None)  # whoever corrects the agent need not restart the worker
            raise
        while len(self._zygotes) > ZYGOTES_MAX:
            await self._forget(await next(iter(self._zygotes.values())))
        return zygote

    async def _forget(self, zygote: "_Zygote") -> None:
        self._zygotes.pop(zygote.key, None)
        await zygote.close()


def _folders(program: Path) -> tuple[str, ...]:
    """Return the folders through which a program is reached: its own, and those of the links that it may be."""
    folders = [str(program.parent)]
    while program.is_symlink() and len(folders) < LINKS_MAX:
        program = program.parent / program.readlink()
        folders.append(str(program.parent))
    return tuple(folders)


async def _preload(key: bytes, spec: AttemptSpec, gateway_url: str) -> "_Zygote":
    """Start a zygote; one that is killed from outside is no fault of the agent's, one that dies each time is."""
    problem = ""
    for _ in range(PRELOADS_MAX):
        try:
            return await _Zygote.start(key, spec, gateway_url)
        except OSError as error:
            problem = f"its process died {PRELOADS_MAX} times while it imported the agent: {error}"
    raise AirsideError(Code.MISCONFIGURED, f"agent {spec.agent_name!r}: {problem}")


class _Zygote:
    """The worker's end of a preloaded process."""

    def __init__(self, key: bytes, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.key = key
        self._process = process
        self._channel = channel

    @classmethod
    async def start(cls, key: bytes, spec: AttemptSpec, gateway_url: str) -> "_Zygote":
        """Start one and wait until it has imported the agent.

        Raises AirsideError `misconfigured` if that fails, OSError if the process is killed meanwhile.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        environment = confine.scrubbed(os.environ, tuple(spec.agent.env_pass))
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "airside.adapters.zygote", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                env=environment | confine.gateway_environment(gateway_url),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        zygote = cls(key, process, ours)
        path = tuple(str(folder.absolute()) for folder in spec.agent.path)
        entry = "" if spec.agent.adapter == "command" else spec.agent.entry
        try:
            ours.send(wire.encode(wire.Preload(adapter=spec.agent.adapter, entry=entry, path=path)))
            async with asyncio.timeout(PRELOAD_TIMEOUT_S):
                message = await receive(ours)
            if not message:
                raise ConnectionResetError("it died while it imported the agent")
            problem = wire.preloaded_decoder.decode(message).problem
        except TimeoutError:
            problem = f"it was not imported within {PRELOAD_TIMEOUT_S:g} s"
        except BaseException:
            await zygote.close()
            raise
        if problem:
            await zygote.close()
            raise AirsideError(Code.MISCONFIGURED, f"agent {spec.agent_name!r}: {problem}")
        return zygote

    def fork(self, orders: wire.Orders) -> ForkedAttempt | None:
        """Have it fork an attempt; None if it is dead."""
        file = wire.orders_file(orders)
        ours, guard = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        try:
            socket.send_fds(self._channel, [wire.FORK], [file, guard.fileno(), report_end, output_end])
        except OSError:
            ours.close()
            os.close(report)
            os.close(output)
            return None
        finally:
            guard.close()
            for descriptor in (file, report_end, output_end):
                os.close(descriptor)
        return ForkedAttempt(orders, ours, report, output)

    async def close(self) -> None:
        """End it and wait until it is gone."""
        self._channel.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
