"""The names of a request: a keyed hash over kind, name and parts, by which a later attempt finds the same call, and a
key, by which the same attempt does when it sends a side effect again because nobody answered.

The second is the client's `Idempotency-Key`. Only by it can a request that is sent again be told from one more of the
same: a gateway that was killed leaves no word of whether its client was answered.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call
from airside.core.ports import SubjectKey
from airside.core.run import Identity

_DOMAIN = f"airside request v{canonical.VERSION}".encode()
_KEY_DOMAIN = b"airside request key v1 %d "
_KEY_BYTES = 16
KEY_WISH = "idempotency-key"


def named(call: Call, key: SubjectKey) -> Call:
    """Return the call with its `part_ids`, its `request_hash` and, for a side effect, its `request_key`."""
    part_ids = name_parts(call, key)
    request_key = _key(call, key) if call.side_effect else b""
    return replace(call, part_ids=part_ids, request_hash=key.name(_framed(call, part_ids)), request_key=request_key)


def name_parts(call: Call, key: SubjectKey) -> tuple[bytes, ...]:
    """Return the content ids of the call's parts."""
    return tuple([key.name(part) for part in call.parts])


def _key(call: Call, key: SubjectKey) -> bytes:
    """Return the name of what the client calls this request, or nothing. It says nothing to another attempt."""
    said = call.wishes.get(KEY_WISH, "")
    return key.name(_KEY_DOMAIN % call.who.attempt + said.encode())[:_KEY_BYTES] if said else b""


def _framed(call: Call, part_ids: Iterable[bytes]) -> bytes:
    """Join with lengths, so that no two different requests make the same text."""
    pieces = [_DOMAIN, call.kind.encode(), call.name.encode(), *part_ids, *_narrowed(call.who)]
    return b"".join([len(piece).to_bytes(8) + piece for piece in pieces])


def _narrowed(who: Identity) -> list[bytes]:
    """Return what sets a narrower token's requests apart: it is given no answer to what only a wider one could ask."""
    if who.only is None and not who.caveats:
        return []
    return [canonical.encode({"only": None if who.only is None else list(who.only), "caveats": list(who.caveats)})]
