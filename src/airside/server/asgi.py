"""The front door, in raw ASGI: gateway paths go to the gateways, the rest to the management API.

Here is what holds for every request: a bound on how many are in flight, and an error boundary that tells a client an
error id and nothing else. The hot path passes nothing heavier than this file before its gateway.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.gateways.http import Message, Receive, Scope, Send
from airside.server import problems
from airside.server.logs import places
from airside.server.peers import Peers

App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBES = frozenset({"/healthz", "/readyz"})
_log = structlog.get_logger("airside.server")


class FrontDoor:
    """Dispatches requests by path: to the gateway that has it, else to the management API.

    A gateway's path that ends in a slash stands for all that begin with it.
    """

    def __init__(
        self, gateways: Mapping[str, App], management: App, peers: Peers | None = None, *, in_flight_max: int
    ) -> None:
        self._gateways = gateways
        self._prefixes = tuple((path, app) for path, app in gateways.items() if path.endswith("/"))
        self._management = management
        self._peers = peers or Peers(())
        self._in_flight_max = in_flight_max
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
        elif self.in_flight >= self._in_flight_max and scope["path"] not in PROBES:
            await answer(send, _too_many(self._in_flight_max))
        else:
            self.in_flight += 1
            self._peers.settle(scope)
            try:
                await _guarded(self._app(scope["path"]), scope, receive, send)
            finally:
                self.in_flight -= 1

    def _app(self, path: str) -> App:
        found = self._gateways.get(path)
        if found is not None:
            return found
        return next((app for prefix, app in self._prefixes if path.startswith(prefix)), self._management)


async def answer(send: Send, error: AirsideError, error_id: str = "") -> None:
    """Send an error as the whole response."""
    body = problems.encode(error, error_id)
    fields = [(name.encode(), value.encode()) for name, value in problems.headers(error).items()]
    fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _guarded(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an app; whatever it raises becomes an answer, or, once the answer has begun, the end of the connection."""
    started = False

    def watched(message: Message) -> Awaitable[None]:
        nonlocal started
        started = started or message["type"] == "http.response.start"
        return send(message)

    try:
        await app(scope, receive, watched)
    except AirsideError as error:
        if started:
            raise
        await answer(send, error)
    except Exception as error:  # noqa: BLE001 - the boundary: a client never sees what broke
        error_id = new_id("err")
        report(error, error_id, scope["method"], scope["path"])
        if started:
            raise ConnectionAbortedError(error_id) from None
        await answer(send, problems.internal(), error_id)


def report(error: Exception, error_id: str, method: str, path: str) -> None:
    """Log a failure of airside itself: its kind and place, without the values it mentions."""
    _log.error(
        "request failed",
        error_id=error_id,
        method=method,
        path=path,
        exception=type(error).__name__,
        places=places(error),
    )


def _too_many(in_flight_max: int) -> AirsideError:
    return AirsideError(
        Code.RATE_LIMITED,
        f"{in_flight_max} requests are in flight, which is server.requests_in_flight_max",
        retry_after_s=1,
    )


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's lifespan messages; the plane's own life is owned by `serve.py`."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
