"""An endpoint of the tool gateway that is posted one JSON value and answers with one, as errors are answered too."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.gateways import http
from airside.gateways.tools.answer import error_value

T = TypeVar("T")

Work = Callable[[http.Caller, Any], Awaitable[Mapping[str, Any]]]
"""Makes an answer out of who asks and the value that they posted."""


class JsonPost:
    """An ASGI application around what does the work. `status` is that of success."""

    def __init__(self, work: Work, *, body_bytes_max: int, status: int = 200) -> None:
        self._work = work
        self._body_bytes_max = body_bytes_max
        self._status = status

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """Answer one HTTP request."""
        headers: list[tuple[bytes, bytes]] = []
        answer: Mapping[str, Any]
        try:
            if scope["method"] != "POST":
                await http.respond(send, 405, b"", [(b"allow", b"POST")])
                return
            caller = http.caller(scope)
            body = await http.read_body(scope, receive, bytes_max=self._body_bytes_max)
            value = canonical.parse(body, bytes_max=self._body_bytes_max)
            status, answer = self._status, await http.while_connected(receive, self._work(caller, value))
        except http.ClientGone:
            return
        except AirsideError as error:
            status, answer = error.status, {"error": error_value(error)}
            headers = [(b"www-authenticate", b"Bearer")] if error.code is Code.UNAUTHENTICATED else []
            headers += http.retry_after(error)
        await http.respond(send, status, msgspec.json.encode(answer), headers)


def typed(value: Any, kind: type[T]) -> T:
    """Return a posted value as a struct; raises AirsideError `invalid_request`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise AirsideError(Code.INVALID_REQUEST, str(error)) from None
