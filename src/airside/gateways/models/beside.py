"""What clients ask beside an answer: which models there are, and how many tokens a request has. Both cost nothing."""

from collections.abc import Sequence

import msgspec

from airside.core import canonical
from airside.core.errors import AirsideError, Code

_CREATED = "1970-01-01T00:00:00Z"


def listing(names: Sequence[str]) -> bytes:
    """Return the list of models in the shapes of all SDKs at once: each reads its own fields and passes over others."""
    listed = [
        {
            "id": name,
            "object": "model",
            "type": "model",
            "created": 0,
            "created_at": _CREATED,
            "display_name": name,
            "owned_by": "airside",
        }
        for name in names
    ]
    google = [{"name": f"models/{name}", "displayName": name} for name in names]
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None, "has_more": False}
    return msgspec.json.encode({"object": "list", "data": listed, **ends, "models": google})


def counted(body: bytes, field: str, *, bytes_max: int) -> bytes:
    """Return how many tokens a request has at most, by its size: nothing leaves for it, and no provider is asked.

    It is the bound that reservations are made of: real counts are lower, by about half for plain English.
    Raises `invalid_request` for what is no JSON object.
    """
    if not isinstance(canonical.parse(body, bytes_max=bytes_max), dict):
        raise AirsideError(Code.INVALID_REQUEST, "the body must be an object")
    return msgspec.json.encode({field: (len(body) + 1) // 2})
