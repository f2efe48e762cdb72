"""Which path speaks which wire format."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qs, unquote

from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.openai_responses.format import RESPONSES
from airside.gateways.models.formats.port import Addressed, Format

_BODY_SAYS_ALL = Addressed()
_FIXED: Mapping[str, Format] = MappingProxyType(
    {"/v1/chat/completions": CHAT, "/v1/responses": RESPONSES, "/v1/messages": MESSAGES, "/v1/embeddings": EMBEDDINGS}
)
_HEARD: Mapping[str, bytes] = MappingProxyType({"/v1/messages": b"anthropic-beta"})
_GEMINI = ("/v1beta/models/", "/v1/models/")
_GEMINI_METHODS = MappingProxyType({"generateContent": False, "streamGenerateContent": True})

LISTS = frozenset({"/v1/models", "/v1beta/models"})
"""Where clients ask for the models that there are."""

COUNTS: Mapping[str, tuple[Format, str]] = MappingProxyType({"/v1/messages/count_tokens": (MESSAGES, "input_tokens")})
"""Where clients ask how many tokens a request has, and how the answer is called."""

PATHS = frozenset({*_FIXED, *LISTS, *COUNTS, *_GEMINI})
"""Paths of the model gateway; those that end in a slash stand for all that begin with them."""


class Faces:
    """The endpoints that clients call."""

    def of(
        self, path: str, headers: Iterable[tuple[bytes, bytes]] = (), query: bytes = b""
    ) -> tuple[Format, Addressed] | None:
        """Return the format that is spoken at a path, and what path, headers and query say; None if it is no face."""
        fixed = _FIXED.get(path)
        if fixed is None:
            return _gemini(path, query) if path.startswith(_GEMINI) else None
        heard = _HEARD.get(path)
        if heard is None:
            return fixed, _BODY_SAYS_ALL
        said = b",".join([value for name, value in headers if name == heard])
        return fixed, Addressed(headers={heard.decode(): said.decode("latin-1")}) if said else _BODY_SAYS_ALL

    def counting(self, path: str) -> tuple[Format, str] | None:
        """Return the format and the field of a question for a request's tokens; None if the path is none."""
        if path.startswith(_GEMINI) and path.endswith(":countTokens"):
            return GEMINI, "totalTokens"
        return COUNTS.get(path)


def _gemini(path: str, query: bytes) -> tuple[Format, Addressed] | None:
    """Return what a path of the Gemini API says: `/VERSION/models/NAME:METHOD`."""
    model, _, method = path.rpartition("/models/")[2].rpartition(":")
    stream = _GEMINI_METHODS.get(method)
    if stream is None or not model:
        return None
    alt = parse_qs(query.decode("latin-1")).get("alt", [""])[0]
    return GEMINI, Addressed(model=unquote(model), stream=stream, headers={"alt": alt})
