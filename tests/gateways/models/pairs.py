"""What the tests of wire formats share: the gateway before a provider of any kind, and clients of any format."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import SecretStr

from airside.config.settings import ModelSettings, ProviderSettings
from airside.core.errors import AirsideError, Code
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.provider import Routes
from airside.gateways.models.providers.anthropic import AnthropicService
from airside.gateways.models.providers.gemini import GeminiService
from airside.gateways.models.providers.http import HttpProvider, Service
from airside.gateways.models.providers.openai import OpenAI
from airside.gateways.models.providers.services import OpenAICompatible
from airside.gateways.models.upstream_http1 import Http1Upstream
from tests.fake_providers.provider import FakeProvider, serving_all
from tests.fake_providers.script import KEY
from tests.gateways.models.world import MODEL, PRICE, TOKEN, Spy, uvicorn_serving

SERVICES: Mapping[str, Callable[[str, ProviderSettings], Service]] = {
    "openai": OpenAI,
    "openai_compatible": OpenAICompatible,
    "anthropic": AnthropicService,
    "gemini": GeminiService,
}


@dataclass
class Pair:
    """A gateway at `url`, before one provider."""

    url: str
    spy: Spy
    fake: FakeProvider
    http: httpx2.AsyncClient

    async def post(self, path: str, value: Any, **headers: str) -> httpx2.Response:
        """Post a JSON request and return the response as it is."""
        return await self.http.post(path, json=value, headers=headers)


@asynccontextmanager
async def pair(kind: str, spy: Spy | None = None, *, reserve: int = 8_192, **settings: Any) -> AsyncIterator[Pair]:
    """Yield a gateway whose model is answered by a provider of this kind; `settings` change the provider's."""
    spy, fake = spy or Spy(), FakeProvider()

    async def check_token(token: str) -> None:
        if token != TOKEN:
            raise AirsideError(Code.UNAUTHENTICATED)

    async with serving_all(fake) as places:
        base_url = places.openai if kind.startswith("openai") else places.root
        described = ProviderSettings(
            **{"kind": kind, "base_url": base_url, "api_key": SecretStr(KEY), **settings},
        )
        upstream = Http1Upstream(connections_max=100)
        provider = HttpProvider("fake", described, SERVICES[kind]("fake", described), upstream, Pricing())
        routes = Routes({"fake": provider}, {MODEL: ModelSettings(provider="fake", price=PRICE)}, "fake")
        spy.routes = routes
        gateway = ModelGateway(spy.pipeline, routes, check_token, ModelLimits(reserve_output_tokens=reserve))
        try:
            async with uvicorn_serving(gateway) as url:
                headers = {"authorization": f"Bearer {TOKEN}"}
                async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                    yield Pair(url, spy, fake, http)
        finally:
            await gateway.close()
