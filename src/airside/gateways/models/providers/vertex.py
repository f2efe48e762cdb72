"""Google Vertex AI: Gemini in its own format and Claude in Anthropic's, with one token for both."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import quote

from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.formats.gemini.format import GEMINI
from airside.gateways.models.formats.port import Format
from airside.gateways.models.outgoing import Clean, as_it_is
from airside.gateways.models.pricing import Price, Pricing
from airside.gateways.models.provider import Ask
from airside.gateways.models.providers.bedrock import without_model
from airside.gateways.models.providers.credentials import FreshFile
from airside.gateways.models.providers.google_tokens import AccountTokens, load_account
from airside.gateways.models.providers.http import HttpProvider, Service
from airside.gateways.models.providers.services import PLAIN_HEADERS, base_host
from airside.gateways.models.upstream import Upstream

VERSION = "vertex-2023-10-16"
_GLOBAL = "global"
_CLAUDE = "claude"


class Vertex:
    """`Provider` for `kind: vertex`: a model whose name begins with `claude` is Anthropic's, any other is Google's.

    `around` is put around the services, as for every other provider.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        upstream: Upstream,
        pricing: Pricing,
        *,
        around: Callable[[Service], Service],
        clean: Clean = as_it_is,
    ) -> None:
        tokens, project = _tokens(name, settings, upstream)
        if not settings.region or not project:
            raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.region and .project are needed")
        if settings.base_url:
            base_host(name, settings)
        root = settings.base_url.rstrip("/") or _root(settings.region)
        place = f"{root}/v1/projects/{quote(project, safe='')}/locations/{quote(settings.region, safe='')}/publishers"
        self.name = name
        self.timeout_s = settings.timeout_s
        self._google = HttpProvider(name, settings, around(_Google(place, tokens)), upstream, pricing, clean)
        self._anthropic = HttpProvider(name, settings, around(_Anthropic(place, tokens)), upstream, pricing, clean)

    def price(self, model: str) -> Price:
        """Return the listed price of a model."""
        return self._of(model).price(model)

    def context_tokens(self, model: str) -> int:
        """Return what the price list says of a model's window."""
        return self._of(model).context_tokens(model)

    def models(self) -> list[str]:
        """Return nothing: what an upstream offers is not asked for."""
        return []

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Send the request on and return what came of it."""
        return await self._of(ask.route.model).complete(call, ask)

    async def close(self) -> None:
        """Close the connections, which both share."""
        await self._google.close()

    def _of(self, model: str) -> HttpProvider:
        return self._anthropic if model.startswith(_CLAUDE) else self._google


class _Tokens:
    """Gives a bearer token, and knows what of it must not be told."""

    def __init__(self, token: Callable[[], Awaitable[str]], secrets: Callable[[], Sequence[str]]) -> None:
        self.token, self.secrets = token, secrets


def _tokens(name: str, settings: ProviderSettings, upstream: Upstream) -> tuple[_Tokens, str]:
    """Return where tokens come from, and the project; raises `misconfigured`."""
    if settings.token_file is not None:
        file = FreshFile(settings.token_file, f"providers.{name}.token_file")

        async def read() -> str:
            return file.text()

        return _Tokens(read, lambda: (file.known,)), settings.project
    if settings.credentials_file is None:
        raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.credentials_file or .token_file is needed")
    account = load_account(settings.credentials_file, f"providers.{name}.credentials_file")
    exchange = AccountTokens(name, account, upstream)
    return _Tokens(exchange.token, exchange.secrets), settings.project or account.project_id


def _root(region: str) -> str:
    host = "aiplatform.googleapis.com" if region == _GLOBAL else f"{region}-aiplatform.googleapis.com"
    return f"https://{host}"


class _Service:
    """What both of its `Service`s share."""

    languages: Sequence[Format]

    def __init__(self, place: str, tokens: _Tokens) -> None:
        self.prices = place
        self._tokens = tokens

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - nothing is signed
        """Return the headers, with a token that holds."""
        return {**PLAIN_HEADERS, "Authorization": f"Bearer {await self._tokens.token()}"}

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return None: it sends server-sent events."""
        return None

    def hidden(self) -> Sequence[str]:
        """Return the token."""
        return self._tokens.secrets()


class _Google(_Service):
    languages: Sequence[Format] = (GEMINI,)

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one language
        """Return where a model is asked."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return URL(f"{self.prices}/google/models/{quote(model, safe='')}:{method}", encoded=True)

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - one language
        """Return the body as it is."""
        return body


class _Anthropic(_Service):
    languages: Sequence[Format] = (MESSAGES,)

    def url(self, language: Format, model: str, *, stream: bool) -> URL:  # noqa: ARG002 - one language
        """Return where a model is asked."""
        method = "streamRawPredict" if stream else "rawPredict"
        return URL(f"{self.prices}/anthropic/models/{quote(model, safe='@')}:{method}", encoded=True)

    def dress(self, language: Format, body: bytes) -> bytes:  # noqa: ARG002 - one language
        """Return the request as Vertex wants it: the model stands in the path, a version in the body."""
        return without_model(body, VERSION)
