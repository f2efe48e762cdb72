"""Raw ASGI, as small as the gateways need it: read a bounded body, find the bearer token, notice that the client left.

ASGI's `send()` never says that nobody listens any more; only `receive()` does. So whatever costs money runs inside
`while_connected`, which cancels it as soon as the client is gone.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from airside.core.errors import AirsideError, Code

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
T = TypeVar("T")

BODY_TIMEOUT_S = 30.0  # how long a client may take to send its body
UNWATCHED_S = 0.02  # a client that leaves earlier than this is noticed then
JSON_TYPE = (b"content-type", b"application/json")
EVENTS_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
_BEARER = b"bearer "
_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key"})
_SDK_TIMEOUT = b"x-stainless-read-timeout"
_IDEMPOTENCY_KEY = b"idempotency-key"
_WISH = b"x-airside-"
_NO_WISHES: Mapping[str, str] = MappingProxyType({})


class ClientGone(Exception):
    """The client closed its connection before it was answered; there is nobody to tell."""


def header(scope: Scope, name: bytes) -> str:
    """Return the first header of that (lower-case) name as text, or an empty string."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


class Caller(Struct, frozen=True):
    """Who sent a request, and what they want of airside beside it."""

    token: str
    run: str = ""
    wishes: Mapping[str, str] = _NO_WISHES
    peer: str = ""


def caller(scope: Scope) -> Caller:
    """Return the credential and wishes of a request to a gateway; raises `unauthenticated` if there is no credential.

    The credential stands where the SDKs put it: `Authorization: Bearer …`, `x-api-key` or `x-goog-api-key`. Wishes are
    the `x-airside-…` headers, by their names without that prefix, `sdk-timeout-s`, the read timeout that an SDK
    announces, and `idempotency-key`.
    """
    token = ""
    wishes: dict[str, str] = {}
    for key, value in scope["headers"]:
        if key == b"authorization" and value[:7].lower() == _BEARER:
            token = value[7:].strip().decode("latin-1") or token
        elif key in _KEY_HEADERS:
            token = token or value.strip().decode("latin-1")
        elif key.startswith(_WISH):
            wishes[key[len(_WISH) :].decode("latin-1")] = value.decode("latin-1")
        elif key == _SDK_TIMEOUT:
            wishes["sdk-timeout-s"] = value.decode("latin-1")
        elif key == _IDEMPOTENCY_KEY:
            wishes["idempotency-key"] = value.decode("latin-1")
    if not token:
        raise _no_credential(scope)
    client = scope.get("client")
    return Caller(token, wishes.pop("run", ""), wishes or _NO_WISHES, client[0] if client else "")


def retry_after(error: AirsideError) -> list[tuple[bytes, bytes]]:
    """Return the header that says when to ask again, in whole seconds and never too early; none if that is unknown."""
    if error.retry_after_s is None:
        return []
    return [(b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s)))]


def _no_credential(scope: Scope) -> AirsideError:
    if b"key=" not in scope.get("query_string", b""):
        return AirsideError(Code.UNAUTHENTICATED)
    said = "a credential in the address is not accepted: addresses are kept in logs"
    return AirsideError(Code.UNAUTHENTICATED, said, advice="Send it in the header x-goog-api-key, and replace it.")


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Return the request's body and never hold more than `bytes_max` of it.

    Raises AirsideError `limit_exceeded` beyond that (by the announced length already, if there is one) and
    `invalid_request` when the client takes more than BODY_TIMEOUT_S; ClientGone when it leaves.
    """
    announced = header(scope, b"content-length")
    if announced.isdigit() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if message.get("more_body"):
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read_on(body, receive, bytes_max)
        except TimeoutError:
            raise AirsideError(
                Code.INVALID_REQUEST, f"the body did not arrive within {BODY_TIMEOUT_S:.0f} seconds"
            ) from None
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


async def _read_on(first: bytes, receive: Receive, bytes_max: int) -> bytes:
    chunks, size = [first], len(first)
    while size <= bytes_max:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body"):
            break
    return b"".join(chunks)


def _too_large(bytes_max: int) -> AirsideError:
    return AirsideError(
        Code.LIMIT_EXCEEDED,
        f"the body has more than {bytes_max} bytes",
        advice="Send less, or raise server.body_bytes_max.",
    )


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """Return what `work` returns, and cancel it when the client disconnects (then raises ClientGone).

    The body must have been read, and the response must not have ended when `work` does. The watch begins after
    UNWATCHED_S, because most of what ends sooner (replays, refusals) would pay more for it than it costs.
    """
    asking, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert asking is not None, "an ASGI application runs in a task"
    watch = _Watch(receive, asking, loop)
    begin = loop.call_later(UNWATCHED_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.gone and asking.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        begin.cancel()
        watch.end()


class _Watch:
    """Waits for the client's disconnect in a task of its own and cancels the one that is asking."""

    def __init__(self, receive: Receive, asking: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._asking, self._loop = receive, asking, loop
        self.task: asyncio.Task[None] | None = None
        self.gone = False

    def begin(self) -> None:
        self.task = self._loop.create_task(self._wait())

    def end(self) -> None:
        """Stop watching. The link to the task goes, or its error, their frames and this would be a cycle: a call's
        worth of garbage that only the collector finds, in pauses that other calls feel.
        """
        task, self.task = self.task, None
        if task is not None:
            task.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._asking.cancel()


async def respond(send: Send, status: int, body: bytes, headers: Headers = (), *, content: Any = JSON_TYPE) -> None:
    """Send a whole response."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [content, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


class EventStream:
    """A response of server-sent events that starts with its first chunk, so that an early failure is still a status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: list[tuple[bytes, bytes]] = []
        self.started = False

    def write(self, chunk: bytes) -> Awaitable[None]:
        """Send a chunk, preceded by the response's head if it is the first."""
        if self.started:
            return self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        return self._begin(chunk)

    async def end(self, chunk: bytes) -> None:
        """Send the last chunk and end the response."""
        if not self.started:
            await self._start()
        await self._send({"type": "http.response.body", "body": chunk})

    async def _begin(self, chunk: bytes) -> None:
        await self._start()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _start(self) -> None:
        self.started = True
        head = [EVENTS_TYPE, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"), *self.headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": head})
