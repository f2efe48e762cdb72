"""An MCP server as a process of ours: one JSON text a line over its standard input and output.

It gets a scrubbed environment, a folder, limits and a session of its own, dies with airside, and is killed with all it
has started. A line beyond the limit, or nothing but garbage, ends it.
"""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from msgspec import Struct

from airside.linux.commands import kept

LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
ENVIRONMENT_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TZ")
GARBAGE_LINES_MAX: Final = 100
SAID_BYTES_MAX: Final = 2_000
END_S: Final = 1.0

Streams = tuple[Any, Any]


class Program(Struct, frozen=True):
    """What is started, and its limits. `folder` empty is a new empty one."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    memory_bytes_max: int
    open_files_max: int
    line_bytes_max: int

    def __repr__(self) -> str:
        """Leave out the environment, which holds credentials."""
        return f"Program({self.command[0]})"


class Stdio:
    """One life of the process. `over` says why it has ended, empty while it lives; `too_long`: by saying too much."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._said = b""
        self.over = ""
        self.too_long = False

    @property
    def said(self) -> str:
        """The last line that the process wrote to its standard error, for the message of a failed start."""
        lines = self._said.decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[Streams]:
        """Start the process and yield what the SDK reads from and writes to; at the end nothing of it is left."""
        with tempfile.TemporaryDirectory(prefix="airside-mcp-", ignore_cleanup_errors=True) as scratch:
            process = await self._start(scratch)
            inward, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            write, outward = anyio.create_memory_object_stream[SessionMessage](0)
            tasks = [
                asyncio.create_task(work)
                for work in (self._read(process, inward), self._write(process, outward), self._overhear(process))
            ]
            try:
                yield read, write
            finally:
                self.over = self.over or "it was closed"
                await _end(process)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for stream in (read, write, inward, outward):
                    stream.close()

    async def _start(self, scratch: str) -> Process:
        program = self._program
        limits = (str(os.getpid()), str(program.memory_bytes_max), str(program.open_files_max))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", LAUNCH, *limits, *program.command),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=program.folder or scratch,
            env={**kept(ENVIRONMENT_KEPT), "HOME": scratch, "TMPDIR": scratch, **program.environment},
            start_new_session=True,
            limit=program.line_bytes_max,
        )

    async def _read(self, process: Process, inward: Any) -> None:
        assert process.stdout is not None
        garbage = 0
        try:
            while line := await process.stdout.readline():
                try:
                    message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:  # many servers print where they should not
                    garbage += bool(line.strip())
                    if garbage > GARBAGE_LINES_MAX:
                        self.over = "it sent what is no message"
                        break
                    continue
                await inward.send(SessionMessage(message))
            self.over = self.over or "its process ended"
        except ValueError:
            self.over, self.too_long = f"it sent more than {self._program.line_bytes_max} bytes at once", True
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the session is closing
        finally:
            inward.close()
            _kill(process)

    async def _write(self, process: Process, outward: Any) -> None:
        assert process.stdin is not None
        with suppress(ConnectionError, anyio.ClosedResourceError):
            async for message in outward:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()

    async def _overhear(self, process: Process) -> None:
        assert process.stderr is not None
        while heard := await process.stderr.read(SAID_BYTES_MAX):
            self._said = (self._said + heard)[-SAID_BYTES_MAX:]


async def _end(process: Process) -> None:
    """Let the process end by itself for a moment, then end it and everything it started."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            await process.wait()
    _kill(process)
    await process.wait()


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
