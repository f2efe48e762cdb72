"""A Release: an immutable version of an agent, named by its fingerprint."""

import hashlib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from airside.core import canonical


class Release(Struct, frozen=True):
    """Code version, model config, tool schemas and agent policy of one agent, as a JSON manifest."""

    agent: str
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """`rel_` plus 32 hex digits of the SHA-256 of the canonical manifest; the release's name everywhere."""
        body = canonical.encode({"agent": self.agent, "manifest": dict(self.manifest), "v": canonical.VERSION})
        return "rel_" + hashlib.sha256(body).hexdigest()[:32]
