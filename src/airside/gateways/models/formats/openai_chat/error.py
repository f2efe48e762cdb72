"""Failures in the shape that OpenAI's SDKs read: `{"error": {message, type, param, code}}` with our stable code."""

from typing import Any

import msgspec

from airside.core.errors import AirsideError
from airside.gateways.models.formats import errors

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def render(error: AirsideError, upstream: bytes = b"") -> bytes:
    """Return the JSON body of an error response. `upstream` is a provider's own error body, put beside ours."""
    body: dict[str, Any] = {
        "message": errors.words(error),
        "type": _TYPES.get(error.status, "server_error"),
        "param": None,
        "code": error.code.value,
    }
    if error.details:
        body["details"] = dict(error.details)
    if theirs := errors.upstream_error(upstream):
        body["upstream"] = theirs
        body["param"] = theirs.get("param")
    return msgspec.json.encode({"error": body})


def read(body: bytes) -> tuple[str, str]:
    """Return the code and the message of an upstream's error body; empty if it has none."""
    return errors.kind_and_message(body, "code")
