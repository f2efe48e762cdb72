"""One session with an MCP server, held by a task of its own: opened, asked for tools, called, and closed once.

Both generations of the protocol are spoken: `server/discover` is tried first, then `initialize`. The server may ask for
nothing: sampling, roots and elicitation are refused. Answers are read as they are; whether they make sense is judged in
`listing.py` and `results.py`, tool by tool, so that one bad tool or answer spoils no other.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from importlib.metadata import version
from typing import Any, Final, Protocol

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map

from airside.gateways.tools.catalogue import LeftOut
from airside.gateways.tools.mcp_servers.http import Exchange, exchange
from airside.gateways.tools.mcp_servers.listing import Offer

PAGES_MAX: Final = 50
CLOSE_S: Final = 5.0
ABOUT_US: Final = types.Implementation(name="airside", version=version("airside"))

# The SDK logs what servers send, which may be anything
for _name in ("mcp.client", "mcp.shared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Line(Protocol):
    """A way to a server. `over` says why it has ended, empty while it has not; `said` is what helps to see why."""

    over: str
    too_long: bool

    @property
    def said(self) -> str:
        """A last word."""
        ...

    def streams(self) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        """Open it and yield what to read from and write to."""
        ...


class _Client(ClientSession):
    """The SDK's session, asked in plain JSON."""

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the result as the server sent it. Raises MCPError."""
        data: dict[str, Any] = {"method": method, "params": params}
        options: Any = {}
        self._stamp(data, options)
        return await self._dispatcher.send_raw_request(method, data["params"], options)

    def learn_headers(self, name: str, schema: Any) -> None:
        """Remember which arguments a server of the newer generation wants in headers too."""
        if self._discover_result is not None and isinstance(schema, dict) and not find_invalid_x_mcp_header(schema):
            self._x_mcp_header_maps[name] = x_mcp_header_map(schema)


class Session:
    """A session that is open from `open` to `close`, or until its line is over.

    `changed` is set when the server says that its tools have changed; `offers` are what it listed last, by name.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.changed = False
        self.in_flight = 0
        self.used_s = 0.0
        self.offers: dict[str, Offer] = {}
        self.left_out: list[LeftOut] = []
        self._client: _Client | None = None
        self._opened = asyncio.get_running_loop().create_future()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether calls may still be sent."""
        return self._client is not None and not self.line.over and not self._ending.is_set()

    async def open(self, timeout_s: float) -> None:
        """Connect and agree on a protocol. Raises what the line raises, MCPError or TimeoutError."""
        self._task = asyncio.create_task(self._hold(), name="mcp session")
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._opened)
        except BaseException:
            await self.close()
            raise

    async def tools(self) -> list[Any]:
        """Return the server's list of tools as it sends it, whatever its entries are. Raises MCPError."""
        found: list[Any] = []
        cursor: str | None = None
        self.changed = False
        for _ in range(PAGES_MAX):
            page = await self._asked("tools/list", {"cursor": cursor} if cursor else {})
            entries = page.get("tools")
            found += entries if isinstance(entries, list) else []
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                break
        for entry in found:
            if self._client and isinstance(entry, dict) and isinstance(entry.get("name"), str):
                self._client.learn_headers(entry["name"], entry.get("inputSchema"))
        return found

    async def call(self, name: str, arguments: Mapping[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
        """Call a tool and return the result as the server sends it. Raises MCPError."""
        return await self._asked("tools/call", {"name": name, "arguments": dict(arguments), "_meta": meta})

    async def close(self) -> None:
        """End the session; returns when nothing of it is left."""
        self._ending.set()
        if self._task is None:
            return
        if self._client is None:  # it is still being opened, which may take for ever
            self._task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.shield(asyncio.wait([self._task]))
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _asked(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if self._client is None:
            raise MCPError(types.CONNECTION_CLOSED, "the session is not open")
        return await self._client.ask(method, params)

    async def _hold(self) -> None:
        """Enter and leave the SDK's contexts in one task, as they demand."""
        try:
            async with (
                self.line.streams() as (read, write),
                _Client(read, write, client_info=ABOUT_US, message_handler=self._notice) as client,
            ):
                await _agree(client)
                self._client = client
                self._opened.set_result(None)
                await self._ending.wait()
        except Exception as error:  # noqa: BLE001 - handed to whoever opens; a task group's is unwrapped
            if not self._opened.done():
                self._opened.set_exception(_first(error))
                self._opened.exception()  # it may be that nobody waits any more
        finally:
            self._client = None
            self.line.over = self.line.over or "the connection ended"
            if not self._opened.done():
                self._opened.cancel()

    async def _notice(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.changed = True


async def _agree(client: _Client) -> None:
    """Settle on a protocol version: the newer generation's probe, else the older one's handshake."""
    noted = Exchange()
    token = exchange.set(noted)
    try:
        try:
            await client.discover()
        except MCPError as error:
            if not noted.reached or noted.status in (401, 403):
                raise Unanswered(noted) from error
            await client.initialize()
    except MCPError as error:
        if not noted.reached or noted.status >= 300 or noted.too_long:
            raise Unanswered(noted) from error
        raise
    finally:
        exchange.reset(token)


class Unanswered(Exception):
    """The other side of an HTTP exchange did not speak MCP; `exchange` says what is known of it."""

    def __init__(self, noted: Exchange) -> None:
        self.exchange = noted
        said = f"it answered with status {noted.status}" if noted.status else "it cannot be reached"
        super().__init__(said)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
