"""Fields of a client's request that every format reads alike, and how it is told that one is wrong."""

from collections.abc import Mapping
from typing import Any

from airside.core.errors import AirsideError, Code


def flag(value: Mapping[str, Any], name: str) -> bool:
    """Return a field that is true, false or absent, which is false; raises `invalid_request` for anything else."""
    found = value.get(name)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise wrong(name, "true or false")
    return found


def wrong(what: str, expected: str) -> AirsideError:
    """Return the refusal of a request of which `what` is not as `expected`."""
    return AirsideError(Code.INVALID_REQUEST, f"{what} must be {expected}")
