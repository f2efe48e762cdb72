"""POST /v1/tokens: an attempt makes a token that may do less than its own, for a sub-agent (docs/handoffs.md)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways import http
from airside.gateways.tools.answer import error_value

BODY_BYTES_MAX = 65_536

Make = Callable[[str, Any], Awaitable[Mapping[str, Any]]]
"""Makes a narrower token from a token and a request (JSON values), and returns the answer."""


class NarrowingFace:
    """An ASGI application."""

    def __init__(self, make: Make) -> None:
        self._make = make

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """Answer one HTTP request."""
        headers: list[tuple[bytes, bytes]] = []
        try:
            if scope["method"] != "POST":
                await http.respond(send, 405, b"", [(b"allow", b"POST")])
                return
            caller = http.caller(scope)
            body = await http.read_body(scope, receive, bytes_max=BODY_BYTES_MAX)
            status, answer = 201, await self._make(caller.token, canonical.parse(body, bytes_max=BODY_BYTES_MAX))
        except http.ClientGone:
            return
        except AirsideError as error:
            status, answer = error.status, {"error": error_value(error)}
            headers = [(b"www-authenticate", b"Bearer")] if error.code is Code.UNAUTHENTICATED else []
            headers += http.retry_after(error)
        await http.respond(send, status, msgspec.json.encode(answer), headers)
