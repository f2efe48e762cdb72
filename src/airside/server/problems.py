"""RFC 9457 problem details: the one shape in which the management API says no."""

import json
import math
from collections.abc import Mapping

from airside.core.errors import MEANINGS, AirsideError, Code

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:airside:error:"


def problem(error: AirsideError, error_id: str = "") -> dict[str, object]:
    """Return the members of a problem; `code` is stable, `advice` says what to do, `details` are for programs."""
    members: dict[str, object] = {
        "type": TYPE_PREFIX + error.code,
        "title": MEANINGS[error.code].title,
        "status": error.status,
        "detail": error.message,
        "code": str(error.code),
        "advice": error.advice,
        "details": dict(error.details),
    }
    if error_id:
        members["error_id"] = error_id
    return members


def headers(error: AirsideError) -> Mapping[str, str]:
    """Return the headers that belong to a problem."""
    found = {"content-type": MEDIA_TYPE, "cache-control": "no-store"}
    if error.code is Code.UNAUTHENTICATED:
        found["www-authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        found["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return found


def encode(error: AirsideError, error_id: str = "") -> bytes:
    """Return a problem as JSON bytes."""
    return json.dumps(problem(error, error_id), ensure_ascii=False).encode()


def internal() -> AirsideError:
    """Return what a client is told of a failure of airside itself: nothing but that it happened."""
    return AirsideError(Code.INTERNAL)
