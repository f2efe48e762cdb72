"""Signed links: one approval, one person, one verdict, for a while, once.

A link is `payload.signature`, both base64url without padding; the payload is canonical JSON and the signature its
HMAC-SHA256 (RFC 2104) under a key that is derived from the master key for nothing else. Opening a link decides nothing,
because mail scanners and link previews open links: its page has a button, and the button sends the link back by POST.
"""

import base64
import binascii
import hmac
import json
import os
from hashlib import sha256
from typing import Final, Literal

import msgspec
from msgspec import Struct

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.run import Role

Verdict = Literal["view", "approve", "deny"]
TOKEN_CHARACTERS_MAX: Final = 1_000
DOMAIN: Final = b"airside approval link v1\x00"
NONCE_BYTES: Final = 16


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a link allows whom; `expires_us` is by the database's clock."""

    tenant_id: str
    approval_id: str
    reviewer: str
    role: Role
    verdict: Verdict
    expires_us: int
    nonce: str


class Links:
    """Makes links and reads them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, tenant_id: str, approval_id: str, reviewer: str, role: Role, verdict: Verdict, until_us: int) -> str:
        """Return a new link's token."""
        link = Link(
            tenant_id=tenant_id,
            approval_id=approval_id,
            reviewer=reviewer,
            role=role,
            verdict=verdict,
            expires_us=until_us,
            nonce=os.urandom(NONCE_BYTES).hex(),
        )
        payload = canonical.encode(msgspec.to_builtins(link))
        return f"{_text(payload)}.{_text(self._signature(payload))}"

    def read(self, token: str, now_us: int) -> Link:
        """Return what a token allows; raises `unauthenticated` for one that is forged, damaged or too old."""
        payload, _, signature = token.partition(".")
        if len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise _bad("this is no link of this airside")
        try:
            body, given = _bytes(payload), _bytes(signature)
        except (ValueError, binascii.Error):
            raise _bad("this is no link of this airside") from None
        if not hmac.compare_digest(self._signature(body), given):
            raise _bad("this is no link of this airside")
        link = msgspec.convert(json.loads(body), Link)
        if link.expires_us <= now_us:
            raise _bad("this link has expired")
        return link

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, DOMAIN + payload, sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _bad(message: str) -> AirsideError:
    return AirsideError(Code.UNAUTHENTICATED, message, advice="Ask for a new link, or decide with `airside approvals`.")
