"""The model gateway: an ASGI application that turns each request into a Call and lets it pass the pipeline.

A path names the wire format that its clients speak. A stream's text leaves while it arrives; its tool calls and its end
leave after the pipeline has returned, when the outcome is durable. Both modes, live and replayed, are written from the
same assembled answer.
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Forward
from airside.gateways.http import (
    Caller,
    ClientGone,
    EventStream,
    Receive,
    Scope,
    Send,
    caller,
    read_body,
    respond,
    retry_after,
    while_connected,
)
from airside.gateways.models.beside import counted, listing
from airside.gateways.models.faces import LISTS, Faces
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, Format, ModelRequest
from airside.gateways.models.provider import Ask, Routes, on_route
from airside.pipeline.compose import internal

_Headers = list[tuple[bytes, bytes]]
_NO_COMMENTS = frozenset({"gemini"})  # whose SDK reads every line as data; others skip the comments of a stream
Compose = Callable[[Forward], Forward]
"""Puts the pipeline's steps around a terminal."""


class ModelLimits(Struct, frozen=True):
    """Limits of model requests: the body in bytes, and the output tokens that are reserved and allowed at most."""

    body_bytes_max: int = 10_485_760
    reserve_output_tokens: int = 8_192


class ModelGateway:
    """Serves the model endpoints of every wire format, the list of models, and counts of tokens.

    `check_token` raises AirsideError `unauthenticated` for tokens that are not valid now; calls themselves are
    identified by the pipeline.
    """

    def __init__(
        self,
        pipeline: Compose,
        routes: Routes,
        check_token: Callable[[str], Awaitable[object]],
        limits: ModelLimits,
    ) -> None:
        self._forward = pipeline(ask_provider)
        self._routes = routes
        self._check_token = check_token
        self._limits = limits
        self._faces = Faces()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        path, method = scope["path"], scope["method"]
        face = self._faces.of(path, scope["headers"], scope["query_string"])
        if face is not None and method == "POST":
            await self._answer(face[0], face[1], scope, receive, send)
        elif path in LISTS and method == "GET":
            await self._models(scope, send)
        elif (counting := self._faces.counting(path)) is not None and method == "POST":
            await self._count(counting[0], counting[1], scope, receive, send)
        elif face is not None or counting is not None or path in LISTS:
            allowed = "GET" if path in LISTS else "POST"
            error = AirsideError(Code.INVALID_REQUEST, f"{path[:200]} takes {allowed}, not {method}")
            await respond(send, 405, (face[0] if face else CHAT).error(error), [(b"allow", allowed.encode())])
        else:
            await _respond_error(send, CHAT, AirsideError(Code.NOT_FOUND, f"the model gateway has no {path[:200]}"))

    async def close(self) -> None:
        """Close the connections to providers."""
        await self._routes.close()

    async def _models(self, scope: Scope, send: Send) -> None:
        try:
            await self._check_token(caller(scope).token)
        except AirsideError as error:
            await _respond_error(send, CHAT, error)
            return
        await respond(send, 200, listing(self._routes.names()))

    async def _count(self, face: Format, field: str, scope: Scope, receive: Receive, send: Send) -> None:
        bytes_max = self._limits.body_bytes_max
        try:
            await self._check_token(caller(scope).token)
            body = await read_body(scope, receive, bytes_max=bytes_max)
            await respond(send, 200, counted(body, field, bytes_max=bytes_max))
        except ClientGone:
            return
        except AirsideError as error:
            await _respond_error(send, face, error)

    async def _answer(self, face: Format, addressed: Addressed, scope: Scope, receive: Receive, send: Send) -> None:
        call_id = new_id("call")
        stream: EventStream | None = None
        try:
            asking = caller(scope)
            body = await read_body(scope, receive, bytes_max=self._limits.body_bytes_max)
            request = face.parse(body, addressed, bytes_max=self._limits.body_bytes_max)
            stream = EventStream(send) if request.stream else None
            call = self._call(call_id, request, asking, stream)
            outcome = await while_connected(receive, self._forward(call))
            if outcome.state is not CallState.OK:
                raise _Unhappy(outcome)
            headers = [*_headers(outcome), *call.payload.told]
            if stream is None:
                await respond(send, 200, outcome.body, headers)
                return
            end = face.rest(outcome.body, call.payload.delivered, request)
            if stream.started and face.name not in _NO_COMMENTS:  # its headers have left without the instant
                end = b": x-airside-clock: %d\n\n" % outcome.at_us + end
            stream.headers[:] = headers
            await stream.end(end)
        except ClientGone:
            return
        except AirsideError as error:
            error.call_id = error.call_id or call_id
            await _fail(send, stream, face, error)
        except Exception as error:  # noqa: BLE001 - whatever broke, the client gets our error and no traceback
            await _fail(send, stream, face, internal(call_id, error))

    def _call(self, call_id: str, request: ModelRequest, asking: Caller, stream: EventStream | None) -> Call:
        route = self._routes.find(request.model)
        headers = stream.headers if stream is not None else []
        ask = Ask(request, route, request.format.delivered(), headers, self._limits.reserve_output_tokens)
        call = Call(
            call_id=call_id,
            kind=CallKind.MODEL,
            name=request.model,
            token=asking.token,
            parts=request.parts,
            effect=Effect.READ,
            idempotent=True,
            timeout_s=route.provider.timeout_s,
            run_header=asking.run,
            sink=stream,
            payload=ask,
            wishes=asking.wishes,
            peer=asking.peer,
        )
        return on_route(call, route)


class _Unhappy(AirsideError):
    """An outcome that is not an answer, as the error it is answered with."""

    def __init__(self, outcome: Outcome) -> None:
        code = Code(outcome.code) if outcome.code in set(Code) else Code.INTERNAL
        super().__init__(code, outcome.message)
        self.call_id, self.at_us, self.replayed = outcome.call_id, outcome.at_us, outcome.replayed
        self.upstream = outcome.body if code is Code.UPSTREAM_REJECTED else b""


async def ask_provider(call: Call) -> Outcome:
    """The pipeline's end: the call leaves, unless its answer is there already."""
    if call.ready is not None:
        return call.ready
    ask: Ask = call.payload
    run, name = call.who.run_id.encode(), call.call_id.encode()
    upstream = f"{ask.route.provider.name}/{ask.route.model}".encode("latin-1", "replace")
    ask.headers[:] = [
        (b"x-airside-run", run),
        (b"x-airside-call", name),
        (b"x-airside-upstream", upstream),
        *ask.told,
    ]
    return await ask.route.provider.complete(call, ask)


async def _fail(send: Send, stream: EventStream | None, face: Format, error: AirsideError) -> None:
    if stream is not None and stream.started:
        await stream.end(face.error_event(error))
    else:
        await _respond_error(send, face, error)


async def _respond_error(send: Send, face: Format, error: AirsideError) -> None:
    headers: _Headers = []
    if error.call_id:
        headers.append((b"x-airside-call", error.call_id.encode()))
        headers.append((b"x-airside-replayed", b"true" if error.replayed else b"false"))
    if error.at_us:
        headers.append((b"x-airside-clock", b"%d" % error.at_us))
    headers += retry_after(error)
    upstream = error.upstream if isinstance(error, _Unhappy) else b""
    await respond(send, error.status, face.error(error, upstream), headers)


def _headers(outcome: Outcome) -> _Headers:
    return [
        (b"x-airside-run", outcome.run_id.encode()),
        (b"x-airside-call", outcome.call_id.encode()),
        (b"x-airside-replayed", b"true" if outcome.replayed else b"false"),
        (b"x-airside-clock", b"%d" % outcome.at_us),
        (b"x-airside-upstream", outcome.upstream.encode("latin-1", "replace")),
    ]
