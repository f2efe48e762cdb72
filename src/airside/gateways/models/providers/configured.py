"""Makes the configured providers: which kind of setting becomes which class."""

from collections.abc import Callable, Mapping

from airside.config.settings import ProviderSettings
from airside.gateways.models.caching.prompt_prefix import Prefixed
from airside.gateways.models.outgoing import Clean, as_it_is
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.provider import Provider
from airside.gateways.models.providers.anthropic import AnthropicService
from airside.gateways.models.providers.azure import Azure
from airside.gateways.models.providers.bedrock import Bedrock
from airside.gateways.models.providers.gemini import GeminiService
from airside.gateways.models.providers.http import HttpProvider, Service
from airside.gateways.models.providers.local import LocalModel
from airside.gateways.models.providers.mistral import Mistral
from airside.gateways.models.providers.openai import OpenAI
from airside.gateways.models.providers.scripted import WITHOUT_SCRIPT, ScriptedModel
from airside.gateways.models.providers.secret_headers import WithSecrets
from airside.gateways.models.providers.services import OpenAICompatible
from airside.gateways.models.providers.vertex import Vertex
from airside.gateways.models.upstream_http1 import Http1Upstream
from airside.secrets.service import Secrets

_SERVICES: Mapping[str, Callable[[str, ProviderSettings], Service]] = {
    "openai": OpenAI,
    "openai_compatible": OpenAICompatible,
    "anthropic": AnthropicService,
    "gemini": GeminiService,
    "azure": Azure,
    "bedrock": Bedrock,
    "mistral": Mistral,
}


def providers(
    configured: Mapping[str, ProviderSettings],
    *,
    mark_prefixes: bool,
    secrets: Secrets | None = None,
    clean: Clean = as_it_is,
) -> Mapping[str, Provider]:
    """Return a provider for each that is configured; raises AirsideError `misconfigured`.

    `mark_prefixes` is whether Messages requests get marks for the provider's prompt cache where they have none.
    `secrets` resolves keys that are handles; without it such a provider can be asked for prices only.
    `clean` is what bodies pass on their way out.
    """
    pricing = Pricing()
    made: dict[str, Provider] = {}
    for name, provider in configured.items():
        if provider.kind == "scripted":
            made[name] = ScriptedModel(name, provider.script or WITHOUT_SCRIPT)
        elif provider.kind == "local":
            made[name] = LocalModel(name, provider, pricing)
        else:
            around: Callable[[Service], Service] = Prefixed if mark_prefixes else _as_it_is
            made[name] = _reached(name, provider, pricing, secrets, around, clean)
    return made


def _reached(
    name: str,
    provider: ProviderSettings,
    pricing: Pricing,
    secrets: Secrets | None,
    around: Callable[[Service], Service],
    clean: Clean,
) -> Provider:
    """Return a provider at the other end of a network."""
    upstream = Http1Upstream(connections_max=provider.connections_max)
    if provider.kind == "vertex":
        return Vertex(name, provider, upstream, pricing, around=around, clean=clean)
    service = with_secrets(name, provider, _SERVICES[provider.kind](name, provider), secrets)
    return HttpProvider(name, provider, around(service), upstream, pricing, clean)


def with_secrets(name: str, provider: ProviderSettings, service: Service, secrets: Secrets | None) -> Service:
    """Return a service that fills in its credential, if that is a handle."""
    key = provider.api_key.get_secret_value() if provider.api_key and not provider.api_key_file else ""
    if secrets is None or not secrets.require(key, f"providers.{name}.api_key"):
        return service
    return WithSecrets(service, secrets)


def _as_it_is(service: Service) -> Service:
    return service
