"""The gateway in front of one configured provider, which is a strict fake of that very kind."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from msgspec.structs import replace
from openai import AsyncOpenAI

from airside.config.settings import ModelPrice, ModelSettings, ProviderSettings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Step
from airside.core.run import Identity
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.histories import Histories
from airside.gateways.models.kept_responses import PREFIX, KeptResponses
from airside.gateways.models.outgoing import Clean, as_it_is
from airside.gateways.models.provider import Routes
from airside.gateways.models.providers.configured import providers
from airside.pipeline.compose import compose
from airside.policy import load
from airside.secrets.service import Secrets
from airside.testing import InMemoryPlane
from tests.fake_providers import KEY, FakeProvider
from tests.fake_providers.provider import Places, serving_all
from tests.fake_providers.sigv4 import ACCESS_KEY, REGION, SECRET_KEY
from tests.fake_providers.vertex import LOCATION, service_account
from tests.gateways.models.world import TOKEN, Spy, World, uvicorn_serving

PRICE = ModelPrice(input="1", output="4")
MODELS = {
    "openai": "gpt-5-fake",
    "azure": "prod-gpt",
    "mistral": "mistral-fake",
    "bedrock": "eu.anthropic.claude-fake-v1:0",
    "vertex": "gemini-fake",
    "anthropic": "claude-fake",
}


def settings_of(kind: str, places: Places, folder: Path, **changed: Any) -> ProviderSettings:
    """Return the settings with which a fake of this kind is reached."""
    values: dict[str, Any] = {"kind": kind, "base_url": getattr(places, kind, places.openai), "api_key": KEY}
    if kind == "bedrock":
        file = folder / "aws"
        file.write_text(f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        values |= {"region": REGION, "credentials_file": file, "api_key": None}
    if kind == "vertex":
        file = folder / "account.json"
        file.write_text(json.dumps(service_account(places.root)))
        values |= {"region": LOCATION, "credentials_file": file}
    return ProviderSettings.model_validate(values | changed)


@asynccontextmanager
async def place(
    kind: str,
    folder: Path,
    *,
    spy: Spy | None = None,
    limits: ModelLimits | None = None,
    secrets: Secrets | None = None,
    clean: Clean = as_it_is,
    **changed: Any,
) -> AsyncIterator[World]:
    """Yield a gateway with one provider of this kind; `changed` are its settings, `secrets` resolves its key."""
    spy, fake = spy or Spy(), FakeProvider()

    async def check_token(token: str) -> None:
        if token != TOKEN:
            raise AirsideError(Code.UNAUTHENTICATED)

    async with serving_all(fake) as places:
        made = providers(
            {"fake": settings_of(kind, places, folder, **changed)}, mark_prefixes=True, secrets=secrets, clean=clean
        )
        model = MODELS.get(kind, "fake-large")
        named = {name: ModelSettings(provider="fake", price=PRICE) for name in {model, *MODELS.values()}}
        named["m"] = ModelSettings(provider="fake", model=model, price=PRICE)
        gateway = ModelGateway(spy.pipeline, Routes(made, named, "fake"), check_token, limits or ModelLimits())
        try:
            async with uvicorn_serving(spy.app(gateway) if isinstance(spy, Remembering) else gateway) as url:
                headers = {"authorization": f"Bearer {TOKEN}"}
                client = AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0)
                async with client, httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                    yield World(url, spy, fake, client, http)
        finally:
            await gateway.close()


class Remembering(Spy):
    """The whole pipeline with histories, on a journal; and the endpoints of kept responses."""

    def __init__(self, plane: InMemoryPlane, *, bytes_max: int = 1_000_000) -> None:
        super().__init__()
        self.plane = plane
        self.histories = Histories(plane.backend.database, plane.keyring, bytes_max=bytes_max)

    def pipeline(self, terminal: Any) -> Any:
        first, *others = self.plane.steps()
        steps: list[Step] = [first, self.histories, *others]
        return compose(steps, terminal)

    def app(self, gateway: ModelGateway) -> Any:
        kept = KeptResponses(self.histories, self.plane.identities.resolve)

        async def dispatch(scope: Any, receive: Any, send: Any) -> None:
            await (kept if scope["path"].startswith(PREFIX) else gateway)(scope, receive, send)

        return dispatch


@asynccontextmanager
async def remembering(
    folder: Path,
    kind: str = "openai",
    *,
    bytes_max: int = 1_000_000,
    database_url: str = "memory:",
    **changed: Any,
) -> AsyncIterator[tuple[World, InMemoryPlane]]:
    """Yield a gateway that keeps responses, and its plane."""
    async with (
        InMemoryPlane(policy=load(None), clock=SystemClock(), database_url=database_url) as plane,
        place(kind, folder, spy=Remembering(plane, bytes_max=bytes_max), **changed) as w,
    ):
        yield w, plane


def acts(w: World, who: Identity) -> None:
    """Let the world's clients speak for an attempt from now on."""
    token = f"{who.run_id}/{who.attempt}"
    w.http.headers["authorization"] = f"Bearer {token}"
    w.openai.api_key = token


def as_tenant(plane: InMemoryPlane, who: Identity, **changed: Any) -> Identity:
    """Return an identity that differs in these fields, known under the same token."""
    other = replace(who, **changed)
    plane.identities.known[f"{who.run_id}/{who.attempt}"] = other
    return other
