"""Builds the providers and the routing table from the settings."""

from airside.config.settings import ProviderSettings, Settings
from airside.core.errors import AirsideError, Code
from airside.gateways.models.openai_compatible import OpenAICompatible
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.provider import Provider, Routes
from airside.gateways.models.scripted import ScriptedModel
from airside.gateways.models.upstream import AiohttpUpstream


def routes(settings: Settings) -> Routes:
    """Return the routing table; raises AirsideError `misconfigured` for what cannot work."""
    pricing = Pricing()
    providers = {name: _provider(name, provider, pricing) for name, provider in settings.providers.items()}
    return Routes(providers, settings.models, settings.model_provider)


def _provider(name: str, settings: ProviderSettings, pricing: Pricing) -> Provider:
    if settings.kind == "scripted":
        if settings.script is None:
            raise AirsideError(
                Code.MISCONFIGURED, f"providers.{name} is scripted and needs `script`, a conversation file"
            )
        return ScriptedModel(name, settings.script)
    return OpenAICompatible(name, settings, AiohttpUpstream(connections_max=settings.connections_max), pricing)
