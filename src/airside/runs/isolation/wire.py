"""What a worker, its preloaded processes and its attempts say to each other.

A worker asks a preloaded process for an attempt by one byte with four descriptors: the orders (a memory file, so that a
large task never waits in a socket), the guard's socket, the report pipe and the output pipe. From then on the worker
talks to the attempt alone; the preloaded process may die without harm to it. Nothing here may import pydantic: the
preloaded process stays light.
"""

import os
from typing import Final

import msgspec
from msgspec import Struct

PLACEHOLDER_TOKEN: Final = "rt_preloaded-without-a-run"  # noqa: S105 - not a credential
"""Stands where SDKs want a key while an agent is imported; replaced by the run's token in every request."""

FORK: Final = b"f"
STOP: Final = b"s"
MESSAGE_BYTES_MAX: Final = 65_536


class Preload(Struct, frozen=True, kw_only=True):
    """To a preloaded process, first: what to import."""

    adapter: str
    entry: str
    path: tuple[str, ...]


class Preloaded(Struct, frozen=True):
    """From a preloaded process, once: it is ready, or `problem` says why the agent cannot be imported."""

    problem: str = ""


class Orders(Struct, frozen=True, kw_only=True):
    """All that an attempt needs to know; `spaces` asks for namespaces, which mask
    the `masked` places, but for the `readable` ones in them, and all `hidden` ones. From there the gateway is reached
    through the guard, which finds it at `gateway_socket`, else at `gateway_outside`."""

    run_id: str
    attempt: int
    adapter: str
    command: tuple[str, ...]
    input: bytes
    token: str
    gateway_url: str
    gateway_socket: str
    gateway_outside: str
    model: str
    tools: tuple[str, ...]
    seed: int
    start_us: int
    clock: str
    memory_bytes_max: int
    processes_max: int
    open_files_max: int
    result_bytes_max: int
    spaces: bool
    hidden: tuple[str, ...]
    masked: tuple[str, ...]
    readable: tuple[str, ...]


class Boxed(Struct, frozen=True, kw_only=True):
    """To a container, all at once: what to import, what to do, granted variables, and where the gateways' socket is."""

    preload: Preload
    orders: Orders
    environment: dict[str, str]
    gateway: str


class Report(Struct, frozen=True):
    """From the agent's process, once: what the agent returned (JSON) or how it failed."""

    result: bytes = b""
    problem: str = ""
    code: str = ""


class Started(Struct, frozen=True, tag="started"):
    """From the guard, first: the process whose end is the attempt's end, as the worker's pid namespace names it."""

    pid: int


class Exited(Struct, frozen=True, tag="exited"):
    """From the guard, last: how the agent's process ended; nothing that it started is alive. `problem` is airside's."""

    exit_code: int = 0
    signal: int = 0
    problem: str = ""


FromGuard = Started | Exited
orders_decoder = msgspec.msgpack.Decoder(Orders)
report_decoder = msgspec.msgpack.Decoder(Report)
guard_decoder = msgspec.msgpack.Decoder(FromGuard)
boxed_decoder = msgspec.msgpack.Decoder(Boxed)
preload_decoder = msgspec.msgpack.Decoder(Preload)
preloaded_decoder = msgspec.msgpack.Decoder(Preloaded)
encode = msgspec.msgpack.Encoder().encode


def orders_file(orders: Orders) -> int:
    """Return the descriptor of a memory file that holds the orders."""
    descriptor = os.memfd_create("airside-orders", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(encode(orders))
    return descriptor


def read_orders(descriptor: int) -> Orders:
    """Read the orders from their memory file and close it."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb") as file:
        return orders_decoder.decode(file.read())
