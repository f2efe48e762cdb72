"""The framing of AWS event streams: length-prefixed messages with typed headers and two checksums."""

import json
import struct
import zlib
from typing import Any

_STRING = 7


def frame(payload: Any, *, event: str = "", exception: str = "") -> bytes:
    """Return one message with a JSON payload: an event, or an exception that ends the stream."""
    kind = {":message-type": "exception", ":exception-type": exception} if exception else {":event-type": event}
    headers = {**kind, ":content-type": "application/json"}
    headers.setdefault(":message-type", "event")
    return encode(headers, json.dumps(payload).encode())


def encode(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))
