"""A gateway whose answers are guarded by the shipped detectors, before a strict fake provider, with a real vault."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
from google import genai
from google.genai.types import HttpOptions

from airside.composition.answers import answer_checks, answers_step
from airside.config.guards import GuardSettings
from airside.config.settings import DatabaseSettings
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.models.asides import Asides
from airside.guards.defaults import scanner_of
from airside.guards.finding import Finding, Place
from airside.guards.placeholders.vault import Vault
from airside.guards.service import Guards
from airside.journal.backend import connect
from airside.journal.sealing import DatabaseKeyring
from airside.pipeline.compose import compose
from tests.gateways.models.pairs import Pair, pair
from tests.gateways.models.world import IDENTITY, MODEL, TOKEN, Spy

KEY = b"k" * 32
SECRET = "AKIA" + "4XZQ7KJ2MNPLRTV5"
CANARY = "cdfhjknpqrvxcdfhjknp"
USER = [{"role": "user", "content": "Tell me."}]


class Told:
    """Notices and risks, kept."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, Mapping[str, Any]]] = []
        self.risen: list[Finding] = []

    def tell(self, tenant_id: str, topic: str, told: Mapping[str, Any]) -> None:
        """Keep a notice."""
        self.notices.append((topic, told))

    def rose(self, who: Identity, place: Place, finding: Finding) -> None:
        """Keep what makes a run riskier."""
        self.risen.append(finding)

    async def of(self, who: Identity) -> float:
        """Return how risky a run is."""
        return min(1.0, len(self.risen) / 10)


class Guarding(Spy):
    """The spy, with the guarding of answers after it, as in the pipeline; `asides` are the calls that airside made."""

    def __init__(self, guards: Guards, settings: GuardSettings) -> None:
        super().__init__()
        self.guards, self.settings = guards, settings
        self.asides = Spy()

    def pipeline(self, terminal: Forward) -> Forward:
        checks = answer_checks(self.settings, self.guards, lambda who: CANARY)
        inner = compose([self.asides, answers_step(self.settings, checks, None)], terminal)
        self._late = Asides(inner, _Late(self))  # type: ignore[arg-type]
        return compose([self, answers_step(self.settings, checks, self._late)], terminal)


class _Late:
    """The routes, once there are any."""

    def __init__(self, spy: Spy) -> None:
        self._spy = spy

    def find(self, model: str) -> Any:
        """Return the route of a model."""
        assert self._spy.routes is not None
        return self._spy.routes.find(model)


@dataclass
class Guarded:
    """A gateway with guarded answers, and the SDKs of every format before it."""

    pair: Pair
    spy: Guarding
    told: Told
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic
    google: genai.Client

    def says(self, text: str | None, **more: Any) -> None:
        """Let the model say this."""
        self.pair.fake.reply = lambda body: {"role": "assistant", "content": text, **more}

    @property
    def delivered(self) -> bytes:
        """The bodies that were journaled."""
        return b"".join([outcome.body for outcome in self.spy.outcomes])

    @property
    def notes(self) -> Sequence[Mapping[str, Any]]:
        """What the last outcome's notes say of guards."""
        return self.spy.outcomes[-1].notes.get("guards", ())


@asynccontextmanager
async def guarded(tmp_path: Path, kind: str = "openai_compatible", **settings: Any) -> AsyncIterator[Guarded]:
    """Yield a gateway before a provider of a kind; `settings` are those of guards."""
    async with AsyncExitStack() as stack:
        backend = await connect(
            f"sqlite:///{tmp_path / 'airside.db'}", settings=DatabaseSettings(), executor_id="exe_test"
        )
        stack.push_async_callback(backend.close)
        configured = GuardSettings.model_validate(settings)
        told = Told()
        vault = Vault(backend.database, DatabaseKeyring(backend.database, KEY), values_max=100)
        guards = Guards(configured, scanner_of(configured), vault, told, told, lambda agent: "")
        spy = Guarding(guards, configured)
        gateway = await stack.enter_async_context(pair(kind, spy))
        client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0)
        stack.push_async_callback(client.close)
        claude = anthropic.AsyncAnthropic(base_url=gateway.url, api_key=TOKEN, max_retries=0)
        stack.push_async_callback(claude.close)
        google = genai.Client(api_key=TOKEN, http_options=HttpOptions(base_url=gateway.url))
        stack.callback(google.close)
        yield Guarded(gateway, spy, told, client, claude, google)


__all__ = ["CANARY", "IDENTITY", "MODEL", "SECRET", "USER", "Guarded", "guarded"]
