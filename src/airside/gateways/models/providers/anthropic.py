"""Anthropic's own API as a service: a key in `x-api-key`, a version, and the Messages format."""

from collections.abc import Callable, Mapping, Sequence

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import PLAIN_HEADERS, api_key, base_host

BASE_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"


class AnthropicService:
    """`Service` for `kind: anthropic`. The address may end in `/v1` or not, as the SDKs' does."""

    languages: Sequence[Format] = (MESSAGES,)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        self.prices = (settings.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
        if settings.base_url:
            base_host(name, settings)
        self._url = URL(self.prices + "/v1/messages")
        self._key = api_key(name, settings)
        self._headers = {
            **PLAIN_HEADERS,
            "anthropic-version": VERSION,
            **({"x-api-key": self._key} if self._key else {}),
        }

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one address for all
        """Return the one address."""
        return self._url

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - one language
        """Return the body as it is."""
        return body

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - nothing is signed
        """Return the headers, always the same."""
        return self._headers

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return None: it sends server-sent events."""
        return None

    def hidden(self) -> Sequence[str]:
        """Return the key."""
        return (self._key,) if self._key else ()
