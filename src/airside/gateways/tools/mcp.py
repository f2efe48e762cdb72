"""The MCP face of the tool gateway: streamable HTTP at `/mcp`, stateless, JSON answers, in both protocol generations.

The official SDK speaks the protocol; this file stands in front of it for what must not be left to a client's good
behaviour: the bearer token, the size and the strictness of the body (duplicate keys are refused), and cancelling what
runs when the client leaves. Sampling, roots and elicitation are not offered: a tool never asks the agent anything.

A client without an SDK may send `tools/list` and `tools/call` as they are, with no handshake before (`docs/tools.md`).
These two are answered right here, also for clients of the older generation, to whom the same is said.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, Final, NoReturn

import mcp_types as types
import msgspec
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from msgspec import Struct
from starlette.requests import Request

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.ports import Identities
from airside.gateways import http
from airside.gateways.tools.answer import error_value
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.gateway import ToolGateway
from airside.gateways.tools.mcp_answers import error_result, page, result
from airside.gateways.tools.pins import Pins

PLAIN: Final = frozenset({"", *HANDSHAKE_PROTOCOL_VERSIONS})
"""Versions whose `tools/list` and `tools/call` need nothing of the SDK; empty is a client that names none."""

RPC_INVALID_REQUEST: Final = -32600
RPC_REFUSED: Final = -32000

STOPPING: Final = frozenset(
    {
        Code.UNAUTHENTICATED,
        Code.FORBIDDEN,
        Code.ATTEMPT_SUPERSEDED,
        Code.KILLED,
        Code.CANCELLED,
        Code.DIVERGED,
        Code.JOURNAL_UNAVAILABLE,
        Code.MISCONFIGURED,
        Code.INTERNAL,
    }
)
"""Failures that an agent cannot go on from: HTTP errors. All others are results with `isError`, for it to read."""


class _Exchange(Struct):
    """One HTTP request on its way: what the SDK's handler must know, and what the response's head must tell."""

    caller: http.Caller
    call_id: str = ""
    at_us: int = 0
    replayed: bool = False
    failure: AirsideError | None = None
    work: asyncio.Future[Any] | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the response headers that say what became of a call."""
        if not self.call_id:
            return []
        return [
            (b"x-airside-call", self.call_id.encode()),
            (b"x-airside-replayed", b"true" if self.replayed else b"false"),
            (b"x-airside-clock", b"%d" % self.at_us),
        ]


class McpFace:
    """An ASGI application; it serves inside of `running`."""

    def __init__(
        self,
        gateway: ToolGateway,
        catalogue: ToolCatalogue,
        identities: Identities,
        *,
        body_bytes_max: int,
        pins: Pins | None = None,
    ) -> None:
        self._pins = pins
        self._gateway = gateway
        self._catalogue = catalogue
        self._identities = identities
        self._body_bytes_max = body_bytes_max
        server: Server[dict[str, Any]] = Server(
            "airside",
            version=version("airside"),
            cache_hints={"tools/list": CacheHint(ttl_ms=0, scope="private")},
            get_tool_input_schema=self._schema_of,
            on_list_tools=self._on_list,
            on_call_tool=self._on_call,
        )
        server.middleware.clear()  # spans are derived from the journal
        self._sessions = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=body_bytes_max
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Be ready to serve while this context is open; then cancel what is still being served. Usable once."""
        ready = asyncio.Event()
        serving = asyncio.create_task(self._run_sessions(ready), name="mcp sessions")
        await ready.wait()
        try:
            yield
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    async def _run_sessions(self, ready: asyncio.Event) -> None:
        """Hold the SDK's task group in one task: it may not be left in another one than it was entered in."""
        async with self._sessions.run():
            ready.set()
            await asyncio.get_running_loop().create_future()

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """Answer one HTTP request."""
        request_id: Any = None
        try:
            if scope["method"] != "POST":  # no session to end, and no stream of the server's own to open
                await http.respond(send, 405, b"", [(b"allow", b"POST")])
                return
            exchange = _Exchange(http.caller(scope))
            body = await http.read_body(scope, receive, bytes_max=self._body_bytes_max)
            message = canonical.parse(body, bytes_max=self._body_bytes_max)
            request_id = message.get("id") if isinstance(message, dict) else None
            await http.while_connected(receive, self._serve(scope, message, body, exchange, send))
        except http.ClientGone:
            return
        except AirsideError as error:
            await _refuse(send, request_id, error)

    async def _serve(self, scope: http.Scope, message: Any, body: bytes, exchange: _Exchange, send: http.Send) -> None:
        plain = http.header(scope, b"mcp-protocol-version") in PLAIN and isinstance(message, dict) and "id" in message
        if plain and message.get("method") in {"tools/call", "tools/list"}:
            await self._serve_plain(message, exchange, send)
            return
        try:
            await self._serve_sdk(scope, body, exchange, send)
        finally:
            if exchange.work and not exchange.work.done():
                exchange.work.cancel()
        if exchange.failure:
            raise exchange.failure

    async def _serve_plain(self, message: dict[str, Any], exchange: _Exchange, send: http.Send) -> None:
        """Answer without the SDK, which would cost more than the rest of the way."""
        params = message.get("params", {})
        if not isinstance(params, dict):
            raise AirsideError(Code.INVALID_REQUEST, "params must be an object")
        if message["method"] == "tools/list":
            result = await self._list(exchange, params.get("cursor"))
        else:
            name, arguments = params.get("name"), params.get("arguments")
            if not isinstance(name, str):
                raise AirsideError(Code.INVALID_REQUEST, "params.name must be the name of a tool")
            result = await self._call(exchange, name, {} if arguments is None else arguments)
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        await http.respond(send, 200, msgspec.json.encode(answer), exchange.headers())

    async def _serve_sdk(self, scope: http.Scope, body: bytes, exchange: _Exchange, send: http.Send) -> None:
        sent = [False]

        async def replay() -> http.Message:
            if sent[0]:
                await asyncio.get_running_loop().create_future()  # `while_connected` watches for the disconnect
            sent[0] = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def annotate(message: http.Message) -> None:
            if exchange.failure:
                return  # answered as an HTTP error instead
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *exchange.headers()]
            await send(message)

        accept = (b"accept", b"application/json, text/event-stream")
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"accept", b"authorization"}]
        inner = {**scope, "headers": [*headers, accept], "airside": exchange}
        await self._sessions.handle_request(inner, replay, annotate)

    async def _on_list(
        self, context: ServerRequestContext[dict[str, Any], Request], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        exchange = _exchange(context)
        try:
            return types.ListToolsResult.model_validate(await self._list(exchange, params.cursor if params else None))
        except AirsideError as error:
            _fail(exchange, error)

    async def _on_call(
        self, context: ServerRequestContext[dict[str, Any], Request], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        exchange = _exchange(context)
        # A task of our own: the SDK runs handlers where the request's cancellation does not reach them
        exchange.work = work = asyncio.ensure_future(self._call(exchange, params.name, params.arguments or {}))
        try:
            return types.CallToolResult.model_validate(await work)
        except AirsideError as error:
            _fail(exchange, error)
        except asyncio.CancelledError:
            handler = asyncio.current_task()
            if handler and handler.cancelling():
                raise
            raise MCPError(RPC_REFUSED, "the client has gone") from None
        finally:
            work.cancel()

    async def _list(self, exchange: _Exchange, cursor: Any) -> dict[str, Any]:
        identity = await self._identities.resolve(exchange.caller.token, exchange.caller.run)
        tools = self._catalogue.hosted_for(identity.tools)
        if self._pins is not None:
            tools = await self._pins.shown(identity, tools)
        return page([listed.tool for listed in tools], cursor if isinstance(cursor, str) else None)

    async def _call(self, exchange: _Exchange, name: str, arguments: Any) -> dict[str, Any]:
        try:
            outcome = await self._gateway.call(exchange.caller, name, arguments)
        except AirsideError as error:
            exchange.call_id, exchange.at_us, exchange.replayed = error.call_id, error.at_us, error.replayed
            if error.code in STOPPING:
                raise
            return dict(error_result(error))
        exchange.call_id, exchange.at_us, exchange.replayed = outcome.call_id, outcome.at_us, outcome.replayed
        return result(outcome, self._catalogue.lookup(name))

    def _schema_of(self, name: str) -> Mapping[str, Any] | None:
        tool = self._catalogue.lookup(name)
        return tool.schema if tool else None


def _exchange(context: ServerRequestContext[dict[str, Any], Request]) -> _Exchange:
    assert context.request is not None, "streamable HTTP always has a request"
    exchange: _Exchange = context.request.scope["airside"]
    return exchange


def _fail(exchange: _Exchange, error: AirsideError) -> NoReturn:
    """Leave the SDK: the response is made by `__call__`."""
    exchange.failure = error
    raise MCPError(RPC_REFUSED, error.code.value) from None


async def _refuse(send: http.Send, request_id: Any, error: AirsideError) -> None:
    number = RPC_INVALID_REQUEST if error.code is Code.INVALID_REQUEST else RPC_REFUSED
    body = {
        "jsonrpc": "2.0",
        "id": request_id if isinstance(request_id, str | int) else None,
        "error": {"code": number, "message": f"{error.code}: {error.message}", "data": error_value(error)},
    }
    headers = [(b"www-authenticate", b"Bearer")] if error.code is Code.UNAUTHENTICATED else []
    headers += http.retry_after(error)
    with suppress(ConnectionError):
        await http.respond(send, error.status, msgspec.json.encode(body), headers)
