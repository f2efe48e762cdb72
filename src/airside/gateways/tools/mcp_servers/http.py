"""An MCP server over HTTP: what must hold for every exchange, whatever the SDK above and the server beyond do.

Answers are bounded in bytes, redirects are not followed, nothing of the environment (proxies, `.netrc`) is used. What
became of an exchange is noted for the call that it belongs to, because the SDK tells only that there was no answer.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpx2
from mcp.client.streamable_http import streamable_http_client
from msgspec import Struct

CONNECT_S_MAX: Final = 10.0
UNANSWERED: Final = (
    "SSE stream ",
    "server answered a request with 202",
    "Unexpected content type",
    "Failed to parse JSON response",
)
"""How the errors begin that the SDK makes up where a server has taken a request and given no answer to it."""

NOTHING: Final = 502  # the status of answers that never came, towards the SDK


class Exchange(Struct):
    """What became of one HTTP exchange.

    `reached` is false if nothing of it can have arrived; `failed` is true if no whole answer came back. Both, and the
    status, are those of what was sent: when its answer breaks off the SDK asks for the rest, and whatever comes of that
    (the server may have been started anew, and know nothing of it) the call had arrived.
    """

    reached: bool = True
    failed: bool = False
    status: int = 0
    too_long: bool = False
    retry_after_s: float | None = None


exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""The exchange of the call that is being made; the SDK's tasks inherit it from their caller."""


class Bounded(httpx2.AsyncBaseTransport):
    """Sends requests, turns failures into answers that the SDK can bear, and bounds what comes back."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, bytes_max: int) -> None:
        self._inner = inner
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, or one that says that there is none."""
        sent = exchange.get() if request.method == "POST" else None  # a GET only asks for the rest of an answer
        noted = sent or Exchange()
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            noted.reached = False
            return httpx2.Response(NOTHING)
        except httpx2.TransportError:
            noted.failed = True
            return httpx2.Response(NOTHING)
        noted.status = response.status_code
        if 300 <= response.status_code < 400:
            noted.failed = True  # whatever is there, it is not the server that was meant
            await response.aclose()
            return httpx2.Response(NOTHING)
        noted.retry_after_s = _seconds(response.headers.get("retry-after", ""))
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        stream = _Counted(response.stream, self._bytes_max, noted)
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=stream, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    """A body that ends in an error when it is too long. Events of a long stream are bounded one by one by the SDK."""

    def __init__(self, inner: httpx2.AsyncByteStream, bytes_max: int, noted: Exchange) -> None:
        self._inner = inner
        self._bytes_max = bytes_max
        self._noted = noted

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        try:
            async for chunk in self._inner:
                count += len(chunk)
                if count > self._bytes_max:
                    self._noted.too_long = True
                    raise httpx2.StreamError(f"more than {self._bytes_max} bytes")
                yield chunk
        except httpx2.TransportError as error:
            self._noted.failed = True
            raise httpx2.StreamError(f"the answer broke off: {type(error).__name__}") from None

    async def aclose(self) -> None:
        await self._inner.aclose()


def client(headers: Mapping[str, str], *, bytes_max: int, connections_max: int) -> httpx2.AsyncClient:
    """Return an HTTP client for one session. Times are bounded by whoever calls."""
    limits = httpx2.Limits(max_connections=connections_max + 2, max_keepalive_connections=connections_max)
    inner = httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)
    timeout = httpx2.Timeout(None, connect=CONNECT_S_MAX)
    return httpx2.AsyncClient(
        headers={**headers, "accept-encoding": "identity"},
        transport=Bounded(inner, bytes_max),
        timeout=timeout,
        trust_env=False,
    )


def _seconds(text: Any) -> float | None:
    return float(text) if isinstance(text, str) and text.isdecimal() and len(text) < 6 else None


class Http:
    """A connection to a server over HTTP. It is over when somebody closes it."""

    def __init__(self, url: str, headers: Mapping[str, str], *, bytes_max: int, connections_max: int) -> None:
        self._url = url
        self._headers = dict(headers)
        self._bytes_max = bytes_max
        self._connections_max = connections_max
        self.over = ""
        self.too_long = False
        self.said = ""

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[Any, Any]]:
        """Yield what the SDK reads from and writes to; the server is told when the session ends."""
        made = client(self._headers, bytes_max=self._bytes_max, connections_max=self._connections_max)
        async with (
            made,
            streamable_http_client(self._url, http_client=made, max_sse_event_size=self._bytes_max) as streams,
        ):
            try:
                yield streams[0], streams[1]
            finally:
                self.over = self.over or "it was closed"
