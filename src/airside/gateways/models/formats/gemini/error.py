"""Failures in the shape that Google's SDKs read, `{"error": {code, message, status, details}}`, with our code."""

from typing import Any

import msgspec

from airside.core.errors import AirsideError
from airside.gateways.models.formats import errors

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def render(error: AirsideError, upstream: bytes = b"") -> bytes:
    """Return the JSON body of an error response. `upstream` is a provider's own error body, put beside ours."""
    about = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code.value, "domain": "airside"}
    body: dict[str, Any] = {
        "code": error.status,
        "message": errors.words(error),
        "status": _STATUSES.get(error.status, "INTERNAL"),
        "details": [about | ({"metadata": dict(error.details)} if error.details else {})],
    }
    if theirs := errors.upstream_error(upstream):
        body["upstream"] = theirs
    return msgspec.json.encode({"error": body})


def read(body: bytes) -> tuple[str, str]:
    """Return the status and the message of an upstream's error body; empty if it has none."""
    return errors.kind_and_message(body, "status")
