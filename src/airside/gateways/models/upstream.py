"""The HTTP client for providers, behind a protocol small enough that another client can take its place.

aiohttp is set up to do no more than needed: no cookies, no decompression (none is asked for), no redirects, bodies as
they come from the socket. Its errors become the two that callers tell apart: never reached, or failed on the way.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import aiohttp
from aiohttp import ClientTimeout
from yarl import URL


class Unreachable(Exception):
    """No connection came about, so the provider has seen nothing."""


class Interrupted(Exception):
    """The connection failed after the request left; the provider may have worked."""


class TimedOut(Interrupted):
    """The provider was silent, or not done, for too long."""


class Answer(Protocol):
    """A response whose head has arrived. It must be closed."""

    status: int

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        ...

    async def read(self, bytes_max: int) -> bytes:
        """Return the whole body; raises TimedOut, and Interrupted also beyond `bytes_max`."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raises Interrupted and TimedOut."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else cut it, which stops the provider."""
        ...


class Upstream(Protocol):
    """An HTTP client."""

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes, timeout: ClientTimeout) -> Answer:
        """Send a request and return its answer's head; raises Unreachable, Interrupted, TimedOut."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class AiohttpUpstream:
    """`Upstream` by aiohttp. Connections are kept for reuse."""

    def __init__(self, *, connections_max: int) -> None:
        self._connections_max = connections_max
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes, timeout: ClientTimeout) -> Answer:
        """Send a request and return its answer's head."""
        session = self._session or self._open()
        try:
            response = await session.post(url, headers=headers, data=body, timeout=timeout, allow_redirects=False)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise Unreachable(_say(error)) from None
        except TimeoutError:
            raise TimedOut("no answer within the time allowed") from None
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise Interrupted(_say(error)) from None
        return _AiohttpAnswer(response, timeout.sock_read)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections_max, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        )
        return self._session


class _AiohttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, silence_s_max: float | None) -> None:
        self._response = response
        self.status = response.status
        self._silence: _Silence | None = None
        connection = response.connection
        if silence_s_max is not None and connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = None  # it would make a timer for every piece
            self._silence = _Silence(response.content, silence_s_max)

    def header(self, name: str) -> str:
        return self._response.headers.get(name, "")

    async def read(self, bytes_max: int) -> bytes:
        pieces, size = [], 0
        async for piece in self.chunks():
            size += len(piece)
            if size > bytes_max:
                raise Interrupted(f"the answer has more than {bytes_max} bytes")
            pieces.append(piece)
        return b"".join(pieces) if len(pieces) != 1 else pieces[0]

    async def chunks(self) -> AsyncIterator[bytes]:
        content, silence = self._response.content, self._silence
        try:
            while True:
                if silence is not None:
                    silence.begin()
                piece = await content.readany()
                if silence is not None:
                    silence.end()
                if not piece:
                    return
                yield piece
        except TimeoutError:
            raise TimedOut("silent, or not done, for too long") from None
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise Interrupted(_say(error)) from None

    def close(self) -> None:
        if self._silence is not None:
            self._silence.stop()
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class _Silence:
    """Ends a wait for the next piece that has lasted too long, with one timer for the whole body.

    Only waiting counts: while our own client is slow to take what there is, the provider is not to blame.
    """

    def __init__(self, content: aiohttp.StreamReader, seconds_max: float) -> None:
        self._content = content
        self._seconds_max = seconds_max
        self._loop = asyncio.get_running_loop()
        self._since_s: float | None = None
        self._timer = self._loop.call_later(seconds_max, self._look)

    def begin(self) -> None:
        self._since_s = self._loop.time()

    def end(self) -> None:
        self._since_s = None

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        waited_s = 0.0 if self._since_s is None else self._loop.time() - self._since_s
        if waited_s >= self._seconds_max:
            self._content.set_exception(aiohttp.SocketTimeoutError())
        else:
            self._timer = self._loop.call_later(self._seconds_max - waited_s, self._look)


def _say(error: BaseException) -> str:
    """Return an error's kind and no more: its text may hold addresses and headers."""
    return type(error).__name__
