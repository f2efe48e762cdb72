"""`python -P -m airside.adapters.boxed`: one attempt in a container, whose first process this is.

It reads everything from its standard input, becomes nobody, and forks: the child imports the agent and runs it; this
process carries the child's connections from loopback to the gateways' socket, the only way out, and ends with it.
"""

import asyncio
import os
import signal
import socket
import sys
from typing import Final, NoReturn
from urllib.parse import urlsplit

from airside.adapters import child, determinism, http_hooks, zygote
from airside.core.errors import Code
from airside.core.text import message_of
from airside.linux import calls
from airside.runs.isolation import bridge, confine
from airside.runs.isolation.failure import place_of
from airside.runs.isolation.wire import Boxed, Report, boxed_decoder, encode

READY: Final = b"R"
NOBODY: Final = 65_534


def main() -> None:
    """Be the whole container."""
    report = os.dup(1)
    os.dup2(2, 1)
    os.write(report, READY)
    boxed = boxed_decoder.decode(sys.stdin.buffer.read())
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    calls.forbid_new_privileges()
    os.environ.update(boxed.environment)
    listener = socket.create_server(("127.0.0.1", urlsplit(boxed.orders.gateway_url).port or 80), backlog=128)
    agent = os.fork()
    if agent == 0:
        listener.close()
        _run(boxed, report)
    os.close(report)
    asyncio.run(_relay(listener, boxed.gateway, agent))


def _run(boxed: Boxed, report: int) -> NoReturn:
    """Import the agent and be the attempt."""
    try:
        calls.die_with_parent(signal.SIGKILL)
        os.setsid()
        folder = os.getcwd()  # noqa: PTH109 - as the container set it
        confine.enter(boxed.orders, folder, os.dup(2))
        os.environ.update(confine.gateway_environment(boxed.orders.gateway_url))
        determinism.install()
        http_hooks.install()
        try:
            loaded = zygote.load(boxed.preload)
        except BaseException as error:  # noqa: BLE001 - whatever an agent's module does at import
            place = place_of(error)
            where = f" ({place[0]}:{place[1]})" if place else ""
            problem = f"the agent cannot be imported: {type(error).__name__}: {message_of(error)}{where}"
            os.write(report, encode(Report(problem=problem, code=Code.MISCONFIGURED)))
            os._exit(1)
        os.environ.update(confine.gateway_environment(boxed.orders.gateway_url, boxed.orders.token))
        child.perform(boxed.orders, report, loaded)
    finally:
        os._exit(70)


async def _relay(listener: socket.socket, gateway: str, agent: int) -> NoReturn:
    """Carry connections until the agent has ended, then end as it did."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await bridge.join(reader, writer, gateway, "")

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, over.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: os.kill(agent, signal.SIGTERM))
    await asyncio.start_server(carry, sock=listener)
    while True:
        over.clear()
        _end_with(agent)
        await over.wait()


def _end_with(agent: int) -> None:
    """Bury the dead; if the agent is among them, end as it did."""
    while (ended := os.waitpid(-1, os.WNOHANG))[0]:
        if ended[0] == agent:
            code = os.waitstatus_to_exitcode(ended[1])
            os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
