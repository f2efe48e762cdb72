"""AWS event streams: length-prefixed messages with typed headers, guarded by two checksums.

By the Amazon Event Stream specification: total length and header length, their CRC, headers, payload, the CRC of all.
"""

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from airside.gateways.models.formats.port import BrokenAnswer

MESSAGE_BYTES_MAX = 16_777_216
_PRELUDE_BYTES = 12
_CRC_BYTES = 4
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_TEXT = 7
_BLOB = 6


class Message(Struct, frozen=True):
    """One message: its headers that are text, and its payload."""

    headers: dict[str, str]
    payload: bytes


class Messages:
    """Cuts the bytes of an event stream into messages, wherever the network has cut them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes; raises BrokenAnswer for what is none, or is damaged."""
        self._rest += data
        while len(self._rest) >= _PRELUDE_BYTES:
            size, headers_size, crc = struct.unpack_from(">III", self._rest)
            if zlib.crc32(self._rest[:8]) != crc:
                raise BrokenAnswer("a message of the event stream has a damaged head")
            if not _PRELUDE_BYTES + _CRC_BYTES + headers_size <= size <= MESSAGE_BYTES_MAX:
                raise BrokenAnswer("a message of the event stream has an impossible length")
            if len(self._rest) < size:
                return
            whole, self._rest = self._rest[:size], self._rest[size:]
            if zlib.crc32(whole[:-_CRC_BYTES]) != int.from_bytes(whole[-_CRC_BYTES:]):
                raise BrokenAnswer("a message of the event stream is damaged")
            end = _PRELUDE_BYTES + headers_size
            yield Message(_headers(whole[_PRELUDE_BYTES:end]), whole[end:-_CRC_BYTES])


def _headers(packed: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(packed):
            end = at + 1 + packed[at]
            name, kind = packed[at + 1 : end].decode(), packed[end]
            at = end + 1
            if kind in {_TEXT, _BLOB}:
                size = int.from_bytes(packed[at : at + 2])
                if kind == _TEXT:
                    found[name] = packed[at + 2 : at + 2 + size].decode()
                at += 2 + size
            else:
                at += _FIXED[kind]
    except (IndexError, KeyError, UnicodeDecodeError):
        raise BrokenAnswer("a message of the event stream has headers that cannot be read") from None
    return found
