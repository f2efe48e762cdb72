"""Services that want a key in a header and nothing else: OpenAI and what is compatible with it."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.openai_chat.format import OpenAIChat
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.formats.port import Format

PLAIN_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "airside",
}
_MODERN_HOSTS = ("openai.com", "azure.com")


class Keyed:
    """What most services share: a key in a header, bodies as the formats have them, and server-sent events."""

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        header: str,
        before_key: str = "",
        *,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._key = api_key(name, settings)
        self._headers = {**PLAIN_HEADERS, **more, **({header: before_key + self._key} if self._key else {})}

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - as the formats have it
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


class OpenAICompatible(Keyed):
    """`Service` for `kind: openai_compatible`."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, "Authorization", "Bearer ")
        self.prices = settings.base_url.rstrip("/")
        host = base_host(name, settings)
        modern = host.endswith(_MODERN_HOSTS)
        chat = OpenAIChat("max_completion_tokens" if modern else "max_tokens")
        self.languages: Sequence[Format] = (chat, EMBEDDINGS)
        self._url, self._embeddings = URL(self.prices + "/chat/completions"), URL(self.prices + "/embeddings")

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - the body says both
        """Return the address of the language."""
        return self._embeddings if language is EMBEDDINGS else self._url


def base_host(name: str, settings: ProviderSettings) -> str:
    """Return the host of a provider's address; raises `misconfigured` if it has none."""
    host = urlsplit(settings.base_url).hostname
    if not host:
        raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.base_url must be an http(s) address")
    return host


def api_key(name: str, settings: ProviderSettings) -> str:
    """Return the provider's key, or an empty string; raises `misconfigured` if its file cannot be read."""
    if settings.api_key_file is not None:
        try:
            return settings.api_key_file.read_text().strip()
        except OSError as error:
            raise AirsideError(
                Code.MISCONFIGURED, f"providers.{name}.api_key_file cannot be read: {error.strerror}"
            ) from None
    return settings.api_key.get_secret_value() if settings.api_key else ""
