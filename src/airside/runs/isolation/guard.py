"""The process that stands guard over one attempt: starts it, joins it to the gateway, ends it with all it started.

Forked from the preloaded process, it outlives that one and answers to the worker alone: when the worker's end of their
socket closes, for whatever reason, the attempt ends. It runs no code of the agent.
"""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from typing import Final, NoReturn

from airside.core.errors import Code
from airside.linux import calls as linux
from airside.linux import tree
from airside.runs.isolation import bridge, confine, spaces
from airside.runs.isolation.wire import MESSAGE_BYTES_MAX, STOP, Exited, Orders, Report, Started, encode

TERM_GRACE_S: Final = 1.0
KILL_DEADLINE_S: Final = 3.0
COUNT_EVERY_S: Final = 0.25

Perform = Callable[[Orders, int], NoReturn]
"""Runs the agent in the process that calls it and writes its report to a descriptor."""


def stand(orders: Orders, worker: socket.socket, report: int, output: int, perform: Perform) -> NoReturn:
    """Be the guard of one attempt until it has ended; never returns."""
    os.setsid()
    linux.adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def agent(folder: str) -> NoReturn:
        try:
            worker.close()
            confine.enter(orders, folder, output)
            perform(orders, report)
        except OSError as error:
            os.write(
                report, encode(Report(problem=f"the attempt could not be confined: {error}", code=Code.MISCONFIGURED))
            )
        finally:
            os._exit(70)

    folder = "" if orders.spaces else tempfile.mkdtemp(prefix="airside-attempt-")
    try:
        ward = _Spaced(orders, agent) if orders.spaces else _Plain(orders, agent, folder)
    except spaces.SpacesError as error:
        _tell(worker, Exited(problem=str(error)))
        os._exit(1)
    os.close(report)
    os.close(output)
    _tell(worker, Started(ward.pid))
    problem = asyncio.run(_Watch(orders, worker, ward).until_the_end())
    all_gone = tree.end_below_me(KILL_DEADLINE_S)
    shutil.rmtree(folder, ignore_errors=True) if folder else None
    status = ward.status
    problem = problem or ("" if all_gone else "some processes of the attempt could not be killed")
    code = os.waitstatus_to_exitcode(status) if status is not None else -signal.SIGKILL
    _tell(worker, Exited(exit_code=max(code, 0), signal=max(-code, 0), problem=problem))
    os._exit(0)


def _tell(worker: socket.socket, message: Started | Exited) -> None:
    try:
        worker.send(encode(message), socket.MSG_NOSIGNAL)
    except OSError:
        return  # the worker is gone; there is nobody to tell


class _Plain:
    """An attempt in a session of its own."""

    listener: socket.socket | None = None

    def __init__(self, orders: Orders, agent: Callable[[str], NoReturn], folder: str) -> None:
        self.status: int | None = None
        self.processes_max = orders.processes_max
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            linux.die_with_parent(signal.SIGKILL)
            linux.forbid_new_privileges()
            agent(folder)

    def reap(self) -> bool:
        """Bury the dead; True once the agent is among them."""
        while self.status is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            self.status = status if pid == self.pid else None
        return self.status is not None

    def terminate(self) -> None:
        """Ask everything to end."""
        tree.send(tree.descendants(os.getpid()), signal.SIGTERM)

    def problem(self) -> str:
        """Say what is wrong with what runs, if anything: here, that it is too many processes."""
        count = len(tree.descendants(os.getpid()))
        return f"the attempt ran {count} processes; at most {self.processes_max}" if count > self.processes_max else ""


class _Spaced:
    """An attempt in namespaces; its process is init, with which everything inside ends."""

    def __init__(self, orders: Orders, agent: Callable[[str], NoReturn]) -> None:
        self.inside = spaces.build(orders, agent)
        self.pid = self.inside.init
        self.listener = self.inside.listener
        self.status: int | None = None

    def reap(self) -> bool:
        """Bury init; True once it has ended."""
        pid, _ = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = self.inside.end_status()
        return pid != 0

    def terminate(self) -> None:
        """Ask everything to end; init passes it on."""
        tree.send({self.pid}, signal.SIGTERM)

    def problem(self) -> str:
        """The kernel counts the processes of a user namespace, so there is nothing to find."""
        return ""


class _Watch:
    """The guard's loop: the worker's word, the agent's end, and connections to the gateway."""

    def __init__(self, orders: Orders, worker: socket.socket, ward: _Plain | _Spaced) -> None:
        self._orders = orders
        self._worker = worker
        self._ward = ward
        self._over = asyncio.Event()
        self._problem = ""

    async def until_the_end(self) -> str:
        """Return when the agent has ended or must be killed; the text says why, if that is news to the worker."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self._worker.setblocking(False)
        loop.add_reader(self._worker, self._hear)
        counting = asyncio.create_task(self._count()) if isinstance(self._ward, _Plain) else None
        server = None
        if self._ward.listener:
            server = await asyncio.start_server(self._join, sock=self._ward.listener)
        self._reap()  # it may have ended before the handler was there
        await self._over.wait()
        loop.remove_reader(self._worker)
        self._worker.setblocking(True)
        if server:
            server.close()
        if counting:
            counting.cancel()
        return self._problem

    def _reap(self) -> None:
        if self._ward.reap():
            self._over.set()

    def _hear(self) -> None:
        try:
            message = self._worker.recv(MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message == STOP:
            self._ward.terminate()
            asyncio.get_running_loop().call_later(TERM_GRACE_S, self._over.set)
        elif not message:
            self._over.set()

    async def _count(self) -> None:
        while not self._problem:
            await asyncio.sleep(COUNT_EVERY_S)
            self._problem = self._ward.problem()
        self._over.set()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await bridge.join(reader, writer, self._orders.gateway_socket, self._orders.gateway_outside)
