"""The names under which answers are kept: keyed hashes of everything that must be equal for an answer to be the same.

Every piece is framed with its length, so that no crafted text can move content from one piece into another.
"""

from collections.abc import Sequence

from msgspec import Struct

from airside.config.cache import CacheSettings
from airside.core import canonical
from airside.core.call import Call
from airside.core.ports import SubjectKey
from airside.gateways.models.formats.port import ModelRequest

SHARED_SUBJECT = "airside:cache"
"""Whose key seals what all subjects of a tenant share."""

LIVE = "live"
_DOMAIN = b"airside cache v1"
_MESSAGE_OVERHEAD_BYTES = 160


class Room(Struct, frozen=True):
    """Where an entry belongs: a hard partition of the cache. Nothing is ever found from another room."""

    tenant_id: str
    owner: str
    pieces: tuple[bytes, ...]


def room_of(call: Call, request: ModelRequest, settings: CacheSettings, policy_version: str) -> Room:
    """Return the room of a call: tenant, subject, mode, policy, agent or release, wire format, model, the route that
    the caller wishes (by its header, a weak model could speak under a strong one's name to whoever shares), and what
    guards have replaced: a placeholder is another person's in another run.
    """
    who = call.who
    owner = who.subject if settings.scope == "subject" else SHARED_SUBJECT
    agent = {"release": f"release:{who.agent}:{who.release}", "agent": f"agent:{who.agent}", "any": ""}[settings.agents]
    route = call.wishes.get("route", "")
    names = (
        who.tenant_id,
        owner,
        LIVE,
        policy_version,
        agent,
        request.format.name,
        call.name,
        route,
        request.rewriting.hex(),
    )
    return Room(who.tenant_id, owner, tuple(name.encode() for name in names))


def entry_key(key: SubjectKey, room: Room, parts: Sequence[bytes]) -> bytes:
    """Return the name of one request in its room."""
    return _named(key, b"exact", room, parts)


def part_key(key: SubjectKey, room: Room, parts: Sequence[bytes], question: str) -> bytes | None:
    """Return the name of all that a request holds beside its question, which must be its last message and nothing more.

    None if the last message holds anything else, so that it cannot be left out.
    """
    encoded = canonical.encode(question)
    last = parts[-2] if len(parts) > 1 else b""
    if encoded not in last or len(last) > len(encoded) + _MESSAGE_OVERHEAD_BYTES:
        return None
    rest = last.replace(encoded, b"", 1)
    return _named(key, b"part", room, [*parts[:-2], rest, parts[-1]])


def _named(key: SubjectKey, kind: bytes, room: Room, parts: Sequence[bytes]) -> bytes:
    pieces = [_DOMAIN, kind, *room.pieces, *parts]
    return key.name(b"".join(len(piece).to_bytes(8) + piece for piece in pieces))
