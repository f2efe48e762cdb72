"""The worker's end of an attempt in a process: what its guard says, what the agent reports and prints, how it ended."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from airside.core.errors import Code
from airside.linux import tree
from airside.runs.isolation import wire
from airside.runs.isolation.port import AttemptEnd, EndKind

STOP_TIMEOUT_S: Final = 4.5
OUTPUT_BYTES_KEPT: Final = 65_536
_MESSAGE_TAIL_CHARACTERS: Final = 2_000
REPORT_OVERHEAD_BYTES: Final = 65_536
_CHUNK_BYTES: Final = 262_144
_STRAGGLE_S: Final = 2.0


class ForkedAttempt:
    """The worker's end of an attempt: its guard's socket, the agent's report and its output."""

    def __init__(self, orders: wire.Orders, guard: socket.socket, report: int, output: int) -> None:
        self._orders = orders
        self._guard = guard
        self._guard.setblocking(False)
        self.pid = 0
        self._stopping = False
        self._oversize = False
        self._end = asyncio.create_task(self._watch(report, output))

    async def wait(self) -> AttemptEnd:
        """Return how it ended."""
        return await asyncio.shield(self._end)

    async def stop(self) -> None:
        """Ask it to end; the guard kills what has not after a second, and we kill the guard if that fails."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._guard.send(wire.STOP, socket.MSG_NOSIGNAL)
        done, _ = await asyncio.wait([self._end], timeout=STOP_TIMEOUT_S)
        if not done and self.pid:
            tree.send(tree.of_session(self.pid) | tree.descendants(self.pid) | {self.pid}, signal.SIGKILL)
            self._guard.close()
        await asyncio.wait([self._end])

    async def _watch(self, report: int, output: int) -> AttemptEnd:
        reporting = asyncio.create_task(self._collect(report))
        printing = asyncio.create_task(_tail(output))
        exited = await self._hear_guard()
        if exited is None and self.pid:  # the guard was killed; the agent goes with it, what it started need not
            tree.send(tree.of_session(self.pid), signal.SIGKILL)
        await asyncio.wait([reporting, printing], timeout=_STRAGGLE_S)
        self._guard.close()
        for task in (reporting, printing):
            task.cancel()
        written = b"" if reporting.cancelled() or not reporting.done() else reporting.result()
        printed = b"" if printing.cancelled() or not printing.done() else printing.result()
        if self._oversize:
            return too_large(self._orders)
        if self._stopping:
            return AttemptEnd(EndKind.STOPPED, message="airside ended the attempt")
        return judge(self._orders, exited, written, printed)

    async def _hear_guard(self) -> wire.Exited | None:
        while True:
            try:
                message = await receive(self._guard)
            except OSError:
                return None
            if not message:
                return None
            news = wire.guard_decoder.decode(message)
            if isinstance(news, wire.Exited):
                return news
            self.pid = news.pid

    async def _collect(self, report: int) -> bytes:
        """Return what the agent reported; more than a result may have ends the attempt."""
        most = self._orders.result_bytes_max + REPORT_OVERHEAD_BYTES
        written = bytearray()
        async with contextlib.aclosing(_chunks(report)) as chunks:
            async for chunk in chunks:
                written += chunk
                if len(written) > most:
                    self._oversize = True
                    self._guard.shutdown(socket.SHUT_WR)  # the guard takes it for our end
                    break
        return bytes(written)


def judge(orders: wire.Orders, exited: wire.Exited | None, written: bytes, printed: bytes) -> AttemptEnd:
    """Decide how an attempt ended, from how its process ended and what it left."""
    if exited is None:
        return AttemptEnd(EndKind.CRASHED, message=_with_output("the guard of the attempt died", printed))
    if exited.problem:
        return AttemptEnd(EndKind.RAISED, message=exited.problem, code=Code.MISCONFIGURED)
    if orders.adapter == "command":
        return _judge_command(exited, written, printed)
    try:
        report = wire.report_decoder.decode(written)
    except msgspec.DecodeError:
        return AttemptEnd(EndKind.CRASHED, message=_with_output(_death(exited), printed))
    if report.problem:
        return AttemptEnd(EndKind.RAISED, message=report.problem, code=report.code)
    return AttemptEnd(EndKind.RETURNED, result=report.result)


def too_large(orders: wire.Orders) -> AttemptEnd:
    """Return the end of an attempt that reported more than a result may have."""
    most = orders.result_bytes_max
    return AttemptEnd(EndKind.RAISED, message=f"the result has more than {most} bytes", code=Code.LIMIT_EXCEEDED)


def _judge_command(exited: wire.Exited, written: bytes, printed: bytes) -> AttemptEnd:
    """A command returned what it wrote to standard output, failed by its exit code, or was killed."""
    if exited.signal:
        return AttemptEnd(EndKind.CRASHED, message=_with_output(_death(exited), printed))
    if exited.exit_code:
        return AttemptEnd(EndKind.RAISED, message=_with_output(_death(exited), printed))
    text = written.decode(errors="replace").strip()
    return AttemptEnd(EndKind.RETURNED, result=msgspec.json.encode(text))


def _death(exited: wire.Exited) -> str:
    if exited.signal:
        return f"the agent's process was killed by signal {exited.signal} ({signal.Signals(exited.signal).name})"
    return f"the agent's process ended with exit code {exited.exit_code}"


def _with_output(message: str, printed: bytes) -> str:
    text = printed.decode(errors="replace").strip()[-_MESSAGE_TAIL_CHARACTERS:]
    return f"{message}; it printed last: {text}" if text else message


async def receive(channel: socket.socket) -> bytes:
    """Return the next message; empty when the other end is closed."""
    while True:
        try:
            return channel.recv(wire.MESSAGE_BYTES_MAX)
        except BlockingIOError:
            await _readable(channel.fileno())


async def _chunks(descriptor: int) -> AsyncGenerator[bytes, None]:
    """Yield what comes through a pipe until its other ends are closed, and close it."""
    os.set_blocking(descriptor, False)
    try:
        while True:
            try:
                data = os.read(descriptor, _CHUNK_BYTES)
            except BlockingIOError:
                await _readable(descriptor)
                continue
            if not data:
                return
            yield data
            await asyncio.sleep(0)  # a chatty agent must not keep the loop to itself
    finally:
        os.close(descriptor)


async def _tail(descriptor: int) -> bytes:
    kept = b""
    async with contextlib.aclosing(_chunks(descriptor)) as chunks:
        async for chunk in chunks:
            kept = (kept + chunk)[-OUTPUT_BYTES_KEPT:]
    return kept


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
