"""Azure OpenAI as a service: the v1 surface, or, with an `api_version`, deployments in the path.

The credential is a key, or an Entra token that something else keeps fresh in a file.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.gateways.models.formats.openai_chat.format import OpenAIChat
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.openai_responses.format import RESPONSES
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.credentials import FreshFile
from airside.gateways.models.providers.services import PLAIN_HEADERS, api_key, base_host


class Azure:
    """`Service` for `kind: azure`. A model's name there is that of its deployment."""

    languages: Sequence[Format] = (OpenAIChat("max_completion_tokens"), RESPONSES, EMBEDDINGS)

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        base_host(name, settings)
        self.prices = settings.base_url.rstrip("/").removesuffix("/v1").removesuffix("/openai")
        self._version = settings.api_version
        self._token = FreshFile(settings.token_file, f"providers.{name}.token_file") if settings.token_file else None
        self._key = "" if self._token else api_key(name, settings)
        self._headers = {**PLAIN_HEADERS, **({"api-key": self._key} if self._key else {})}

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - the body says it
        """Return the address of a deployment, or of the language where the body names the deployment."""
        what = {RESPONSES.name: "responses", EMBEDDINGS.name: "embeddings"}.get(language.name, "chat/completions")
        if not self._version:
            return URL(f"{self.prices}/openai/v1/{what}")
        place = what if language is RESPONSES else f"deployments/{quote(model, safe='')}/{what}"
        version = quote(self._version, safe="")
        return URL(f"{self.prices}/openai/{place}?api-version={version}", encoded=True)

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - as the formats have it
        """Return the body as it is."""
        return body

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - nothing is signed
        """Return the headers, with the token that the file holds now."""
        if self._token is None:
            return self._headers
        return {**self._headers, "Authorization": f"Bearer {self._token.text()}"}

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return None: it sends server-sent events."""
        return None

    def hidden(self) -> Sequence[str]:
        """Return the key or the token."""
        return tuple(secret for secret in (self._key, self._token.known if self._token else "") if secret)
