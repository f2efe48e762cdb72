"""How the host and a process with a sandbox talk: length, kind, payload, over its standard input and output.

A frame is four bytes of length, which counts the payload, one byte of kind, and the payload. Lengths are checked
against the reader's bound before anything is read.
"""

import asyncio
import contextlib
import os
from typing import Final

import msgspec
from msgspec import Struct

SETUP: Final = b"S"  # to the engine's process: what to load
READY: Final = b"R"  # from it: loaded
JOB: Final = b"J"  # to it: limits and seeds of one execution
HOST_CALL: Final = b"H"  # from inside: a frame of the conversation
ANSWER: Final = b"A"  # to the inside
ENDED: Final = b"E"  # from the engine's process: how it ended
PROBLEM: Final = b"P"  # from it: why there can be no execution

HEAD_BYTES: Final = 5


class Setup(Struct):
    """What the engine's process loads: the compiled engine and the standard library's archive, as paths."""

    compiled: str
    library: str
    parent: int


class Job(Struct):
    """What the engine's process needs to know of an execution; the code itself is fetched by the guest."""

    program: str
    fuel: int
    memory_bytes: int
    deadline_s: float
    output_bytes: int
    files_bytes: int
    open_files: int
    frame_bytes: int
    seed: int
    start_us: int


class Ended(Struct):
    """How an execution ended: what was printed, the meters, the limit that ended it, and an exit code or a trap."""

    output: bytes
    fuel: int
    memory_peak_bytes: int
    cpu_s: float
    open_files_peak: int
    limit: str = ""
    exit_code: int | None = None
    trap: str = ""
    confined: bool = True


setup_decoder = msgspec.msgpack.Decoder(Setup)
job_decoder = msgspec.msgpack.Decoder(Job)
ended_decoder = msgspec.msgpack.Decoder(Ended)


class FrameTooLarge(Exception):
    """The other side announced a frame beyond the bound; nothing of it was read."""


def frame(kind: bytes, payload: bytes | Struct = b"") -> bytes:
    """Return a frame's bytes."""
    body = payload if isinstance(payload, bytes) else msgspec.msgpack.encode(payload)
    return len(body).to_bytes(4, "big") + kind + body


async def receive(reader: asyncio.StreamReader, bytes_max: int) -> tuple[bytes, bytes]:
    """Return the next (kind, payload); raises FrameTooLarge, or IncompleteReadError when the other side is gone."""
    head = await reader.readexactly(HEAD_BYTES)
    size = int.from_bytes(head[:4], "big")
    if size > bytes_max:
        raise FrameTooLarge
    return head[4:], await reader.readexactly(size)


async def ended(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    """Wait for a killed process's end, reading away what it has written: asyncio only sees the end behind it."""
    assert process.stdout is not None, "started with pipes"
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(timeout_s):
            while await process.stdout.read(1 << 20):
                continue
            await process.wait()


def read_frame(descriptor: int) -> tuple[bytes, bytes]:
    """Block for the next (kind, payload); raises EOFError when the other side is gone. For the engine's process."""
    head = _exactly(descriptor, HEAD_BYTES)
    return head[4:], _exactly(descriptor, int.from_bytes(head[:4], "big"))


def write_frame(descriptor: int, kind: bytes, payload: bytes | Struct = b"") -> None:
    """Write a whole frame. For the engine's process."""
    data = memoryview(frame(kind, payload))
    while data:
        data = data[os.write(descriptor, data) :]


def _exactly(descriptor: int, count: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < count:
        piece = os.read(descriptor, min(count - len(pieces), 1 << 20))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)
