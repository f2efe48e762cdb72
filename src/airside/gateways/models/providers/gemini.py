"""Google's Gemini API as a service: a key in `x-goog-api-key`, the model and the mode in the address."""

from collections.abc import Sequence
from urllib.parse import quote

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import Keyed, base_host

BASE_URL = "https://generativelanguage.googleapis.com"
_VERSIONS = ("/v1", "/v1beta")


class GeminiService(Keyed):
    """`Service` for `kind: gemini`. The address may end in a version; else `v1beta` is asked."""

    languages: Sequence[Format] = (GEMINI,)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, "x-goog-api-key")
        address = (settings.base_url or BASE_URL).rstrip("/")
        if settings.base_url:
            base_host(name, settings)
        self._base = address if address.endswith(_VERSIONS) else f"{address}/v1beta"
        self.prices = address.removesuffix("/v1beta").removesuffix("/v1")

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one language
        """Return where a model is asked."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return URL(f"{self._base}/models/{quote(model.removeprefix('models/'), safe='')}:{method}", encoded=True)
