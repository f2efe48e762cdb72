"""Google's Gemini API as a service: a key in `x-goog-api-key`, the model and the mode in the address."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import PLAIN_HEADERS, api_key, base_host

BASE_URL = "https://generativelanguage.googleapis.com"
_VERSIONS = ("/v1", "/v1beta")


class GeminiService:
    """`Service` for `kind: gemini`. The address may end in a version; else `v1beta` is asked."""

    languages: Sequence[Format] = (GEMINI,)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        address = (settings.base_url or BASE_URL).rstrip("/")
        if settings.base_url:
            base_host(name, settings)
        self._base = address if address.endswith(_VERSIONS) else f"{address}/v1beta"
        self.prices = address.removesuffix("/v1beta").removesuffix("/v1")
        self._key = api_key(name, settings)
        self._headers = {**PLAIN_HEADERS, **({"x-goog-api-key": self._key} if self._key else {})}

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one language
        """Return where a model is asked."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return URL(f"{self._base}/models/{quote(model.removeprefix('models/'), safe='')}:{method}", encoded=True)

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
