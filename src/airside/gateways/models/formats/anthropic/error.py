"""Failures in the shape that Anthropic's SDKs read, `{"type": "error", "error": {type, message}}`, with our code."""

from typing import Any

import msgspec

from airside.core.errors import AirsideError
from airside.gateways.models.formats import errors

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def render(error: AirsideError, upstream: bytes = b"") -> bytes:
    """Return the JSON body of an error response. `upstream` is a provider's own error body, put beside ours."""
    body: dict[str, Any] = {
        "type": _TYPES.get(error.status, "api_error"),
        "message": errors.words(error),
        "code": error.code.value,
    }
    if error.details:
        body["details"] = dict(error.details)
    if theirs := errors.upstream_error(upstream):
        body["upstream"] = theirs
    return msgspec.json.encode({"type": "error", "error": body, "request_id": error.call_id or None})


def read(body: bytes) -> tuple[str, str]:
    """Return the type and the message of an upstream's error body; empty if it has none."""
    return errors.kind_and_message(body, "type")
