"""The preloaded process of one agent: imports it once, then forks an attempt whenever the worker asks.

`python -P -m airside.adapters.zygote FD`, where FD is a SOCK_SEQPACKET socket to the worker. It lives as long as the
worker holds the other end, starts no thread of its own and opens no connection, so that every fork is clean.
"""

import asyncio
import gc
import importlib
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from airside.adapters import child, determinism, http_hooks
from airside.adapters.port import Adapter, Context
from airside.core.text import message_of
from airside.linux import calls as linux
from airside.runs.isolation import guard, wire
from airside.runs.isolation.failure import place_of

DESCRIPTORS_PER_ATTEMPT = 4


def main() -> int:
    """Serve one worker until it closes the socket."""
    linux.die_with_parent(signal.SIGKILL)
    worker = socket.socket(fileno=int(sys.argv[1]))
    worker.set_inheritable(False)
    os.umask(0o077)
    preload = wire.preload_decoder.decode(worker.recv(wire.MESSAGE_BYTES_MAX))
    determinism.install()
    http_hooks.install()
    try:
        agent = load(preload)
    except BaseException as error:  # noqa: BLE001 - whatever an agent's module does at import is the worker's to hear
        worker.send(wire.encode(wire.Preloaded(_problem_of(preload, error))))
        return 1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards tell the worker themselves; the kernel buries them
    gc.collect()
    gc.freeze()  # what is here stays shared with every attempt
    worker.send(wire.encode(wire.Preloaded()))
    while True:
        message, descriptors, _, _ = socket.recv_fds(worker, 1, DESCRIPTORS_PER_ATTEMPT)
        if not message:
            return 0
        if os.fork() == 0:
            worker.close()
            _attempt(descriptors, agent)
        for descriptor in descriptors:
            os.close(descriptor)


def load(preload: wire.Preload) -> child.Agent | None:
    """Import the agent and its adapter; None if it is a command, which is not imported."""
    for folder in reversed(preload.path):
        sys.path.insert(0, folder)
    if not preload.entry:
        return None
    adapter: Any = importlib.import_module(f"airside.adapters.{preload.adapter}")
    module, _, name = preload.entry.partition(":")
    entry: Any = importlib.import_module(module)
    for part in (name or "agent").split("."):
        entry = getattr(entry, part)
    asyncio.run(_rehearse(adapter))
    return child.Agent(adapter, entry)


async def _rehearse(adapter: Adapter) -> None:
    """Have the adapter try its clients on a port that is taken and refuses, so that forks find everything imported."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        await adapter.prepare(Context(run_id="", gateway_url=url, token="", model="rehearsal"))


def _attempt(descriptors: list[int], agent: child.Agent | None) -> NoReturn:
    """Be the guard of one attempt."""
    try:
        orders = wire.read_orders(descriptors[0])
        guarded = socket.socket(fileno=descriptors[1])
        guard.stand(orders, guarded, descriptors[2], descriptors[3], lambda order, to: child.perform(order, to, agent))
    finally:
        traceback.print_exc()
        os._exit(70)


def _problem_of(preload: wire.Preload, error: BaseException) -> str:
    """Return what went wrong at import, with the file and line of the innermost frame that is the agent's own."""
    place = place_of(error)
    where = f" ({place[0]}:{place[1]})" if place else ""
    return f"the agent {preload.entry!r} cannot be imported: {type(error).__name__}: {message_of(error)}{where}"


if __name__ == "__main__":
    sys.exit(main())
