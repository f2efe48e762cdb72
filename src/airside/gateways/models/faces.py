"""Which path speaks which wire format."""

from collections.abc import Mapping
from types import MappingProxyType

from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed, Format

_BODY_SAYS_ALL = Addressed()
_FIXED: Mapping[str, Format] = MappingProxyType({"/v1/chat/completions": CHAT})

PATHS = frozenset({*_FIXED, "/v1/models"})
"""Paths of the model gateway."""


class Faces:
    """The endpoints that clients call."""

    def of(self, path: str) -> tuple[Format, Addressed] | None:
        """Return the format that is spoken at a path, and what the path says beside the body; None if it is no face."""
        fixed = _FIXED.get(path)
        return (fixed, _BODY_SAYS_ALL) if fixed is not None else None
