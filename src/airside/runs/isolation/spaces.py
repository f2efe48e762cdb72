"""Linux namespaces around an attempt: nothing of the machine but a read-only view, no network but the gateway.

    guard (outside) ── forks ──▶ builder (enters the namespaces, builds the view, ends)
                                    └─ forks ─▶ init (process 1 inside) ── forks ──▶ the agent

The guard stays outside, holds the listening socket that the builder made inside, and joins each connection to the
gateway. When init ends, by itself or by the guard's hand, the kernel ends everything inside.
"""

import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Final, NoReturn
from urllib.parse import urlsplit

from airside.linux import calls as linux
from airside.linux import syscalls
from airside.runs.isolation import view
from airside.runs.isolation.wire import Orders

INSIDE_ID: Final = 1_000
NOBODY: Final = 65_534
_ALL: Final = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
)
_ENTERED: Final = b"entered"
_MAPPED: Final = b"mapped"
_PROBLEM: Final = b"problem:"
_INIT: Final = b"init:"
_ENDED: Final = b"ended:"
_MESSAGE_BYTES: Final = 4_096


class SpacesError(Exception):
    """The kernel refused a part of the confinement; the agent was not started."""


class Inside:
    """The guard's end of what it built: init's process id, the gateway's listening socket, the news from within."""

    def __init__(self, init: int, listener: socket.socket, news: socket.socket) -> None:
        self.init = init
        self.listener = listener
        self.news = news

    def end_status(self) -> int | None:
        """Return the agent's wait status once init has told it."""
        self.news.setblocking(False)
        try:
            message = self.news.recv(_MESSAGE_BYTES)
        except OSError:
            return None
        return int(struct.unpack("=i", message.removeprefix(_ENDED))[0]) if message.startswith(_ENDED) else None


def build(orders: Orders, agent: Callable[[str], NoReturn]) -> Inside:
    """Fork a process into new namespaces that confines itself and calls `agent` with its folder.

    Raises SpacesError if the kernel refuses. `agent` runs in a process of its own and must not return.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    builder = os.fork()
    if builder == 0:
        ours.close()
        _build_inside(orders, theirs, agent)
    theirs.close()
    try:
        if (message := ours.recv(_MESSAGE_BYTES)) != _ENTERED:
            raise SpacesError(_problem_of(message))
        _map_ids(builder)
        ours.send(_MAPPED)
        message, descriptors, _, _ = socket.recv_fds(ours, _MESSAGE_BYTES, 1)
        if not message.startswith(_INIT):
            raise SpacesError(_problem_of(message))
        return Inside(int(message.removeprefix(_INIT)), socket.socket(fileno=descriptors[0]), ours)
    except OSError as error:
        raise SpacesError(f"the attempt's namespaces could not be built: {error}") from None
    finally:
        os.waitpid(builder, 0)


def _problem_of(message: bytes) -> str:
    return message.removeprefix(_PROBLEM).decode(errors="replace") or "the builder of the namespaces died"


def _map_ids(builder: int) -> None:
    """Give the inside one user and one group: nobody if we are root, else ourselves (all that the kernel allows)."""
    privileged = os.geteuid() == 0
    if not privileged:
        _write(f"/proc/{builder}/setgroups", "deny")
    _write(f"/proc/{builder}/uid_map", f"{INSIDE_ID} {NOBODY if privileged else os.geteuid()} 1")
    _write(f"/proc/{builder}/gid_map", f"{INSIDE_ID} {NOBODY if privileged else os.getegid()} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - one write(2), which these files insist on
        file.write(text)


def _build_inside(orders: Orders, news: socket.socket, agent: Callable[[str], NoReturn]) -> NoReturn:
    """Builder: enter, build the view, fork init, tell its id as seen from outside, and leave."""
    privileged = os.geteuid() == 0
    try:
        linux.unshare(_ALL)
        news.send(_ENTERED)
        if news.recv(_MESSAGE_BYTES) != _MAPPED:
            os._exit(1)
        sources = view.open_sources((*orders.readable, *filter(None, sys.path)), orders.masked)
        if privileged:
            os.setgroups([])
        os.setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
        os.setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
        socket.sethostname("attempt")
        linux.bring_up_loopback()
        listener = socket.create_server(("127.0.0.1", urlsplit(orders.gateway_url).port or 80), backlog=128)
        view.build(sources, orders.masked, orders.hidden, orders.memory_bytes_max // 4)
        init = os.fork()
        if init == 0:
            listener.close()
            _be_init(news, agent)
        socket.send_fds(news, [_INIT + str(init).encode()], [listener.fileno()])
        os._exit(0)
    except OSError as error:
        news.send(_PROBLEM + f"the attempt's namespaces could not be built: {error}".encode())
        os._exit(1)


def _be_init(news: socket.socket, agent: Callable[[str], NoReturn]) -> NoReturn:
    """Process 1: start the agent, bury the dead, tell how the agent ended. Holds no privilege any more."""
    try:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(-1, signal.SIGTERM))
        view.renew_proc()
        linux.forbid_new_privileges()
        linux.drop_capabilities()
        syscalls.restrict()
        child = os.fork()
        if child:
            _watch_over(child, news)
        news.close()
        os.setsid()
        agent(view.PRIVATE_FOLDER)
    finally:
        os._exit(70)


def _watch_over(child: int, news: socket.socket) -> NoReturn:
    linux.hide_memory()
    ears, mouth = socket.socketpair()
    mouth.setblocking(False)
    signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        while (ended := _bury())[0]:
            if ended[0] == child:
                news.send(_ENDED + struct.pack("=i", ended[1]))
                os._exit(0)
        readable = select.select([ears, news], [], [])[0]
        if news in readable:  # the guard is gone: everything in here goes with it
            os._exit(1)
        ears.recv(_MESSAGE_BYTES)


def _bury() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0
