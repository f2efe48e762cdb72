"""The name of a request: one keyed hash over kind, name and parts, by which a later attempt finds the same call."""

from collections.abc import Iterable

from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call
from airside.core.ports import SubjectKey

_DOMAIN = f"airside request v{canonical.VERSION}".encode()


def named(call: Call, key: SubjectKey) -> Call:
    """Return the call with its `part_ids` and its `request_hash`."""
    part_ids = name_parts(call, key)
    return replace(call, part_ids=part_ids, request_hash=key.name(_framed(call, part_ids)))


def name_parts(call: Call, key: SubjectKey) -> tuple[bytes, ...]:
    """Return the content ids of the call's parts."""
    return tuple([key.name(part) for part in call.parts])


def _framed(call: Call, part_ids: Iterable[bytes]) -> bytes:
    """Join with lengths, so that no two different requests make the same text."""
    pieces = [_DOMAIN, call.kind.encode(), call.name.encode(), *part_ids]
    return b"".join([len(piece).to_bytes(8) + piece for piece in pieces])
