"""One connection to a provider, and the exchange that is under way on it: HTTP/1.1 (RFC 9112) by httptools.

The other side is not trusted. What it sends around bodies is bounded, and so is what has not been read of them; a
connection serves again only if the last answer ended where it said it would and nothing came after it. One timer
serves a connection, however many exchanges and pieces pass it.
"""

import asyncio
import select
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httptools
from msgspec import Struct

from airside.gateways.models.upstream import Interrupted, TimedOut

FRAMING_BYTES_MAX = 65_536  # heads, chunk sizes, trailers: what may come without a byte of a body
UNREAD_BYTES_MAX = 262_144  # after which the provider is made to wait
IDLE_S_MAX = 15.0  # shorter than servers usually keep a connection
LOOK_AFTER_IDLE_S = 1.0
_UNFRAMED = frozenset({b"content-length", b"transfer-encoding"})


class Origin(Struct, frozen=True):
    """Where connections lead."""

    tls: bool
    host: str
    port: int


class Pool(Protocol):
    """Where connections come from and go back to."""

    def left(self, connection: "Connection") -> None:
        """An exchange on the connection has ended; it serves again if it is `usable`."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is closed."""
        ...


class Exchange:
    """A request that was sent, and its answer: implements `upstream.Response` once `head` has returned."""

    def __init__(self, connection: "Connection", deadline_s: float, silence_s: float | None) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False
        self.error: Interrupted | None = None
        self._connection = connection
        self._deadline_s = deadline_s
        self._silence_s = silence_s
        self._pieces: list[bytes] = []
        self._unread = 0
        self._unread_max = UNREAD_BYTES_MAX
        self._whole = False
        self._waiter: Future[None] | None = None
        self._waits_since_s = 0.0

    async def head(self) -> None:
        """Wait until status and headers are there; raises Interrupted and TimedOut."""
        while not self.status:
            await self._news()

    def header(self, name: str) -> str:
        """See Response."""
        wanted = name.lower().encode()
        for known, value in self.headers:
            if known == wanted:
                return value.decode("latin-1")
        return ""

    async def read(self, bytes_max: int) -> bytes:
        """See Response."""
        self._whole, self._unread_max = True, bytes_max
        self._connection.resume_reading()
        while not self.ended and self._unread <= bytes_max:
            await self._news()
        if self._unread > bytes_max:
            raise Interrupted(f"the answer has more than {bytes_max} bytes")
        return self._take()

    async def chunks(self) -> AsyncIterator[bytes]:
        """See Response."""
        while True:
            if self._pieces:
                yield self._take()
            elif not self.ended:
                await self._news()
            elif self.error is not None:
                raise self.error
            else:
                return

    def close(self) -> None:
        """See Response."""
        self._connection.leave(self)

    def add(self, piece: bytes) -> bool:
        """Take a piece of the body; return whether more may come before it is read."""
        self._pieces.append(piece)
        self._unread += len(piece)
        full = self._unread > self._unread_max
        if full or not self._whole:
            self.wake()
        return not full

    def end(self, error: Interrupted | None = None) -> None:
        """Note that nothing more will come, because that was all, or because of `error`."""
        if not self.ended:
            self.ended, self.error = True, error
            self.wake()

    def wake(self) -> None:
        """Let the one who waits look at what has changed."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def due_s(self, now_s: float) -> float:
        """Return the loop time at which the exchange will have lasted too long if nothing comes."""
        if self._silence_s is None:
            return self._deadline_s
        since_s = now_s if self._waiter is None else self._waits_since_s
        return min(self._deadline_s, since_s + self._silence_s)

    async def _news(self) -> None:
        if self.error is not None:
            raise self.error
        self._waiter = self._connection.loop.create_future()
        if self._silence_s is not None:
            self._waits_since_s = self._connection.loop.time()
        await self._waiter

    def _take(self) -> bytes:
        if self.error is not None and self._whole:
            raise self.error
        pieces, self._pieces, self._unread = self._pieces, [], 0
        self._connection.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Connection(asyncio.Protocol):
    """A kept connection. What httptools finds in the provider's bytes arrives in the `on_…` methods."""

    def __init__(self, pool: Pool, loop: AbstractEventLoop, origin: Origin) -> None:
        self.loop = loop
        self.origin = origin
        self.usable = True
        self._pool = pool
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing = 0
        self._in_body = False
        self._paused = False
        self._idle_since_s = 0.0
        self._timer: TimerHandle | None = None
        self._timer_s = 0.0

    def send(self, request: bytes, deadline_s: float, silence_s: float | None) -> Exchange:
        """Send a whole request. The exchange fails at loop time `deadline_s`, or once `silence_s` pass unheard."""
        exchange = self._exchange = Exchange(self, deadline_s, silence_s)
        self._framing, self._in_body, self._headers = 0, False, []
        self._transport.write(request)
        self._watch(exchange.due_s(self.loop.time()))
        return exchange

    def leave(self, exchange: Exchange) -> None:
        """End an exchange. The connection is cut unless the answer has come to its proper end."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        if not exchange.ended or exchange.error is not None or self._transport.get_write_buffer_size():
            self.usable = False
        exchange.end(Interrupted("given up"))
        if self.usable:
            self.resume_reading()
            self._idle_since_s = self.loop.time()
            self._watch(self._idle_since_s + IDLE_S_MAX)
        else:
            self.abort()
        self._pool.left(self)

    def fresh(self) -> bool:
        """Whether the other side has let an idle connection be: it was not idle long, and nothing came.

        The event loop hears of a close a moment after it has happened; this asks the socket itself.
        """
        if not self.usable or self._transport.is_closing():
            return False
        if self.loop.time() - self._idle_since_s < LOOK_AFTER_IDLE_S:
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def resume_reading(self) -> None:
        """Let the provider send on."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Cut the connection."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.usable = False
        if self._timer is not None:
            self._timer.cancel()
        if self._exchange is not None:
            whole = exc is None and self._in_body and _until_close(self._exchange)
            self._exchange.end(None if whole else Interrupted(type(exc).__name__ if exc else "closed early"))
        self._pool.lost(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._framing += len(data)  # set back by every piece of a body
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Interrupted("not HTTP/1.1"))
            return
        if self._framing > FRAMING_BYTES_MAX:
            self._fail(Interrupted(f"more than {FRAMING_BYTES_MAX} bytes around the body"))
        elif self._exchange is None:
            self.abort()  # nothing was asked

    def on_message_begin(self) -> None:
        """A head begins; after an answer's end nothing may come, because it would be taken for the next answer."""
        if self._exchange is None or self._exchange.ended:
            self.usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or, after the head, a trailer, which nobody has asked for."""
        if not self._in_body:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is complete."""
        status, headers, self._headers = self._parser.get_status_code(), self._headers, []
        exchange = self._exchange
        if exchange is None or exchange.ended or 100 <= status < 200:  # informational: the answer is still to come
            return
        exchange.status, exchange.headers = status, headers
        self._in_body = True
        exchange.wake()

    def on_body(self, piece: bytes) -> None:
        """A piece of a body."""
        self._framing = 0
        exchange = self._exchange
        if exchange is not None and not exchange.ended and not exchange.add(piece) and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """A message has ended where it said it would."""
        if self._in_body and self._exchange is not None:
            if not self._parser.should_keep_alive():
                self.usable = False
            self._exchange.end()

    def _fail(self, error: Interrupted) -> None:
        if self._exchange is not None:
            self._exchange.end(error)
        self.abort()

    def _watch(self, at_s: float) -> None:
        """See to it that somebody looks at loop time `at_s` at the latest."""
        if self._timer is None or self._timer_s > at_s:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_s = self.loop.call_at(at_s, self._look), at_s

    def _look(self) -> None:
        self._timer = None
        now_s, exchange = self.loop.time(), self._exchange
        due_s = self._idle_since_s + IDLE_S_MAX if exchange is None else exchange.due_s(now_s)
        if now_s < due_s:
            self._watch(due_s)
        else:
            self._fail(TimedOut("silent, or not done, for too long"))


def _until_close(exchange: Exchange) -> bool:
    """Whether an answer says nothing of its length, so that the end of the connection is its end."""
    return not any(name in _UNFRAMED for name, _ in exchange.headers)
