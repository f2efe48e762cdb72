"""uvicorn's HTTP protocol with a bound on what comes before a body: the bytes of a request's head, and its time.

uvicorn on httptools bounds neither, so one client could fill the memory with an endless header, or hold connections
open by sending a byte now and then. Bodies are bounded where they are read.
"""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from airside.core.errors import AirsideError, Code
from airside.server import problems

HEAD_BYTES_MAX = 65_536  # beyond what arrives with the head's first read, which is at most 256 KB
HEAD_TIMEOUT_S = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections whose request heads are too large or too slow."""

    _in_head = False
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect the first head in time."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._relax()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, then look at a head that is still incomplete."""
        continued = self._in_head
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data) if continued else 0
        if self._head_bytes > HEAD_BYTES_MAX:
            message = f"the request line and headers have more than {HEAD_BYTES_MAX} bytes"
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)
        elif self._deadline is None:
            self._expect()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """End a head."""
        self._in_head = False
        self._relax()
        super().on_headers_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._end(HTTPStatus.REQUEST_TIMEOUT, f"the request line and headers took over {HEAD_TIMEOUT_S:.0f} seconds")

    def _end(self, status: HTTPStatus, message: str) -> None:
        """Say why, unless an earlier answer is on its way on this connection, and close it."""
        self._relax()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            body = problems.encode(AirsideError(Code.LIMIT_EXCEEDED, message))
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()
