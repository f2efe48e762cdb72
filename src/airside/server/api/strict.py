"""Strict input: bodies are bounded, canonical JSON without duplicate keys, of known fields and exact types."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.gateways.http import BODY_TIMEOUT_S
from airside.server import problems
from airside.server.asgi import report
from airside.server.auth import principal_of

ERRORS_SHOWN_MAX = 20
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Body(BaseModel):
    """A request body: unknown fields are refused, and no type is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StrictRoute(APIRoute):
    """A route that reads its JSON as `core.canonical` does, and turns its own failures into problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the strict reading."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                if request.method in WITH_BODY:
                    await principal_of(request, request.app.state.plane.services.keys)  # strangers' bodies are not read
                    await _read_strictly(request, request.app.state.body_bytes_max)
                return await inner(request)
            except (AirsideError, RequestValidationError, HTTPException):
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: a client never sees what broke
                error_id = new_id("err")
                report(error, error_id, request.method, request.url.path)
                return response(problems.internal(), error_id)

        return handler


async def _read_strictly(request: Request, bytes_max: int) -> None:
    """Fill the request's cached body and value, so that FastAPI validates what was read here."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > bytes_max:
                    raise AirsideError(
                        Code.LIMIT_EXCEEDED,
                        f"the body has more than {bytes_max} bytes",
                        advice="Send less, or raise server.body_bytes_max.",
                    )
                chunks.append(chunk)
    except TimeoutError:
        message = f"the body did not arrive within {BODY_TIMEOUT_S:.0f} seconds"
        raise AirsideError(Code.INVALID_REQUEST, message) from None
    body = b"".join(chunks)
    request._body = body
    if body:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise AirsideError(Code.INVALID_REQUEST, "the body must be sent as content-type application/json")
        request._json = canonical.parse(body, bytes_max=bytes_max)


def response(error: AirsideError, error_id: str = "") -> Response:
    """Return an error as a problem+json response."""
    return Response(problems.encode(error, error_id), status_code=error.status, headers=dict(problems.headers(error)))


async def on_airside_error(_: Request, error: Exception) -> Response:
    """Answer a failure that has a code."""
    assert isinstance(error, AirsideError)
    return response(error)


async def on_validation_error(_: Request, error: Exception) -> Response:
    """Answer input that does not fit, naming every place and never repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"where": ".".join(str(part) for part in item["loc"]), "what": str(item["msg"])}
        for item in error.errors()[:ERRORS_SHOWN_MAX]
    ]
    message = "; ".join(f"{item['where']}: {item['what'][:1].lower()}{item['what'][1:]}" for item in wrong[:3])
    return response(AirsideError(Code.INVALID_REQUEST, message, details={"errors": wrong}))


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.INVALID_REQUEST
    answer = response(AirsideError(code, f"{error.detail}".lower() if error.status_code == 405 else ""))
    if error.status_code == 405:
        answer.status_code = 405
        answer.headers["allow"] = (error.headers or {}).get("Allow", "")
    return answer
