"""What the gateway and its tool host say to each other: msgpack frames with a four-byte length, over a socket pair."""

import asyncio
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from airside.core.tool import Tool

HEAD_BYTES: Final = 4
FRAME_BYTES_MAX: Final = 1_073_741_824 + 65_536


class Start(Struct, frozen=True, tag="start"):
    """To the host, first: what to import, and its limits."""

    modules: tuple[str, ...]
    path: tuple[str, ...]
    result_bytes_max: int


class Invoke(Struct, frozen=True, tag="invoke"):
    """To the host: execute a tool. `arguments` is a JSON object. It never carries the run's token.

    `secrets` are those that the tool is granted, by the names of their grants.
    """

    number: int
    tool: str
    arguments: bytes
    call_id: str
    run_id: str
    tenant_id: str
    secrets: dict[str, str] = {}


class Cancel(Struct, frozen=True, tag="cancel"):
    """To the host: nobody waits for this execution any more."""

    number: int


class Ready(Struct, frozen=True, tag="ready"):
    """From the host, first: every module is imported, and these are the tools."""

    tools: tuple[Tool, ...]


class Failed(Struct, frozen=True, tag="failed"):
    """From the host, first: it cannot serve, and why. It exits then."""

    message: str


class Returned(Struct, frozen=True, tag="returned"):
    """From the host: the tool returned; `body` is its result as canonical JSON."""

    number: int
    body: bytes


class Raised(Struct, frozen=True, tag="raised"):
    """From the host: the execution failed, with an error code of `core.errors` and a message without traceback.

    `transient`: the tool itself says that nothing happened and trying again may help.
    """

    number: int
    code: str
    message: str
    transient: bool = False


ToHost = Start | Invoke | Cancel
FromHost = Ready | Failed | Returned | Raised
Frame = TypeVar("Frame", ToHost, FromHost)

to_host = msgspec.msgpack.Decoder(ToHost)
from_host = msgspec.msgpack.Decoder(FromHost)
_encoder = msgspec.msgpack.Encoder()


def encode(frame: ToHost | FromHost) -> bytes:
    """Return a frame's bytes with its length in front."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(HEAD_BYTES) + body


async def receive(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[Frame]) -> Frame | None:
    """Return the next frame, or None when the other side is gone. Raises ValueError for what is no frame."""
    try:
        size = int.from_bytes(await reader.readexactly(HEAD_BYTES))
        if size > FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {size} bytes is beyond the limit")
        return decoder.decode(await reader.readexactly(size))
    except msgspec.DecodeError as error:
        raise ValueError(f"what arrived is no frame: {error}") from None
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
