"""Anthropic's own API as a service: a key in `x-api-key`, a version, and the Messages format."""

from collections.abc import Sequence

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import Keyed, base_host

BASE_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"


class AnthropicService(Keyed):
    """`Service` for `kind: anthropic`. The address may end in `/v1` or not, as the SDKs' does."""

    languages: Sequence[Format] = (MESSAGES,)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, "x-api-key", more={"anthropic-version": VERSION})
        self.prices = (settings.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
        if settings.base_url:
            base_host(name, settings)
        self._url = URL(self.prices + "/v1/messages")

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one address for all
        """Return the one address."""
        return self._url
