"""What the tests of the model gateway share: the gateway under uvicorn, a fake provider behind it, and a pipeline."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from msgspec.structs import replace
from openai import AsyncOpenAI
from pydantic import SecretStr

from airside.config.settings import ModelPrice, ModelSettings, ProviderSettings
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.provider import Provider, Routes
from airside.gateways.models.providers.http import HttpProvider
from airside.gateways.models.providers.services import OpenAICompatible
from airside.gateways.models.upstream_http1 import Http1Upstream
from airside.pipeline.compose import compose
from tests.fake_providers import KEY, FakeProvider, serving

TOKEN = "rt_a-token"
MODEL = "fake-large"
AT_US = 1_790_000_000_000_000
PRICE = ModelPrice(input="1", output="4")

IDENTITY = Identity("default", "run_1", 1, "agent", "rel", "run_1", ("run:run_1",), True, 2**62)


@dataclass
class Spy:
    """A pipeline of one step, which grants what is needed and remembers what passed."""

    tries: int = 1
    calls: list[Call] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    before_return: Callable[[], Any] | None = None
    replayed: Outcome | None = None
    routes: Routes | None = None

    def pipeline(self, terminal: Forward) -> Forward:
        return compose([self], terminal)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        self.calls.append(call)
        if call.token != TOKEN:
            raise AirsideError(Code.UNAUTHENTICATED)
        if self.replayed is not None:
            return self.replayed
        call = replace(call, identity=IDENTITY, output_tokens_granted=call.need.output_tokens)
        for attempt in range(self.tries):
            try:
                outcome = replace(await forward(call), at_us=AT_US, call_id=call.call_id, run_id=IDENTITY.run_id)
                break
            except TransientError as error:
                self.errors.append(error)
                if attempt + 1 == self.tries:
                    raise
            except BaseException as error:
                self.errors.append(error)
                raise
        self.outcomes.append(outcome)
        if self.before_return is not None:
            await self.before_return()
        return outcome


@dataclass
class World:
    """A gateway at `url` and everything around it."""

    url: str
    spy: Spy
    fake: FakeProvider
    openai: AsyncOpenAI
    http: httpx2.AsyncClient

    async def ask(self, text: str = "Hello", **body: Any) -> httpx2.Response:
        """Post a request and return the response as it is."""
        value = {"model": MODEL, "messages": [{"role": "user", "content": text}], **body}
        return await self.http.post("/v1/chat/completions", json=value)


async def until(true: Callable[[], Any], *, seconds: float = 10.0) -> None:
    """Wait until a condition holds; fails if it does not within the time."""
    give_up_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_s, "the condition did not come true in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def uvicorn_serving(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on loopback and yield its URL."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    config.install_signal_handlers = False
    task = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def provider_settings(base_url: str, /, **changed: Any) -> ProviderSettings:
    """Return settings of a provider at this address."""
    values = {"base_url": base_url, "api_key": SecretStr(KEY), **changed}
    return ProviderSettings(kind="openai_compatible", **values)


@asynccontextmanager
async def world(
    spy: Spy | None = None,
    *,
    providers: dict[str, Provider] | None = None,
    limits: ModelLimits | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """Yield a running world; `settings` change the provider's."""
    spy, fake = spy or Spy(), FakeProvider()

    async def check_token(token: str) -> None:
        if token != TOKEN:
            raise AirsideError(Code.UNAUTHENTICATED)

    async with serving(fake) as base_url:
        described = provider_settings(base_url, **settings)
        service = OpenAICompatible("fake", described)
        provider = HttpProvider("fake", described, service, Http1Upstream(connections_max=100), Pricing())
        routes = Routes(
            {"fake": provider, **(providers or {})},
            {MODEL: ModelSettings(provider="fake", price=PRICE)},
            default_provider=next(iter(providers or {"fake": None})),
        )
        spy.routes = routes
        gateway = ModelGateway(spy.pipeline, routes, check_token, limits or ModelLimits())
        try:
            async with uvicorn_serving(gateway) as url:
                headers = {"authorization": f"Bearer {TOKEN}"}
                client = AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0)
                async with client, httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                    yield World(url, spy, fake, client, http)
        finally:
            await gateway.close()
