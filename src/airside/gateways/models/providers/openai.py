"""OpenAI's own API as a service: Chat Completions and Responses, each for clients that speak it."""

from collections.abc import Sequence

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.openai_chat.format import OpenAIChat
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.openai_responses.format import RESPONSES
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.services import Keyed, base_host

BASE_URL = "https://api.openai.com/v1"


class OpenAI(Keyed):
    """`Service` for `kind: openai`."""

    languages: Sequence[Format] = (OpenAIChat("max_completion_tokens"), RESPONSES, EMBEDDINGS)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, "Authorization", "Bearer ")
        self.prices = (settings.base_url or BASE_URL).rstrip("/")
        if settings.base_url:
            base_host(name, settings)
        self._chat, self._responses = URL(self.prices + "/chat/completions"), URL(self.prices + "/responses")
        self._embeddings = URL(self.prices + "/embeddings")

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - the body says both
        """Return the address of the language."""
        if language is EMBEDDINGS:
            return self._embeddings
        return self._responses if language is RESPONSES else self._chat
