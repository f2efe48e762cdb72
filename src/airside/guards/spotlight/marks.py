"""The marks of a run: known to whoever holds the installation's key, to nobody else, and stored nowhere.

They depend on nothing but the run, so that a message is marked alike in every turn and caches of prompts keep working.
"""

import hmac
from typing import Final, NamedTuple

from airside.core.run import Identity

TOKEN_CHARS: Final = 16
_DOMAIN: Final = b"airside spotlight v1\x00"
_PRIVATE_USE: Final = range(0xE000, 0xF900)


class Mark(NamedTuple):
    """What marks the data of a run: a `token` in the marks around it, and a `stitch` between its words."""

    token: str
    stitch: str


class Marks:
    """Gives each run its mark."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, who: Identity) -> Mark:
        """Return the mark of a run."""
        digest = hmac.digest(self._key, _DOMAIN + f"{who.tenant_id}/{who.run_id}".encode(), "sha256")
        stitch = _PRIVATE_USE[int.from_bytes(digest[-4:]) % len(_PRIVATE_USE)]
        return Mark(digest.hex()[:TOKEN_CHARS], chr(stitch))
