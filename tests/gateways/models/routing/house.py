"""Models of several tiers behind the real routing, fallback, retry and record steps, on a journal in memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from airside.config.routing import FallbackSettings, RoutedModel, RoutingSettings
from airside.config.settings import ModelPrice, ModelSettings
from airside.core.call import Call, CallKind, CallState, Effect, Outcome, Usage
from airside.core.errors import AirsideError
from airside.core.ids import new_id
from airside.core.ports import Step
from airside.core.run import Identity
from airside.gateways.models.asides import Asides
from airside.gateways.models.fallbacks.step import Chains, Fallback
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.port import Addressed
from airside.gateways.models.gateway import ask_provider
from airside.gateways.models.message import Answer, Block, Text
from airside.gateways.models.pricing import Price, configured
from airside.gateways.models.provider import Ask, Routes, on_route
from airside.gateways.models.routing.cascade import Cascade
from airside.gateways.models.routing.models import FittedModels, Judges
from airside.gateways.models.routing.outcomes import Outcomes
from airside.gateways.models.routing.route import RouteStep
from airside.gateways.models.routing.shadow import Shadow
from airside.gateways.models.routing.verdicts import Verdicts
from airside.gateways.models.routing.wishes import stand_ins
from airside.pipeline.compose import compose
from airside.pipeline.retry import Retry
from airside.policy import load
from airside.testing import InMemoryPlane
from airside.testing.calls import token_of

TIERS = {
    "tiny": RoutedModel(tier="small", tools=False, json_schema=False, context_tokens=4_000),
    "medium": RoutedModel(tier="balanced", context_tokens=100_000),
    "large": RoutedModel(tier="frontier", images=True, context_tokens=200_000),
}
PRICES = {"tiny": (1, 2), "medium": (5, 20), "large": (50, 200), "other": (10, 10), "judge": (1, 1)}
HARD = "Prove step by step why the integral of x^2 equals x^3/3 = ?, and compare 3 strategies; explain the trade-offs."
EASY = "What is the capital of France?"


@dataclass
class Model:
    """A provider of one model; its answers are scripted: text, blocks, an error to raise, or a function of the ask."""

    name: str
    said: Any = "Paris."
    timeout_s: float = 60.0
    asked: list[Ask] = field(default_factory=list)

    def price(self, model: str) -> Price:
        return price(model)

    def context_tokens(self, model: str) -> int:
        return 0

    def models(self) -> list[str]:
        return []

    async def close(self) -> None:
        """Nothing is open."""

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        self.asked.append(ask)
        said = self.said(ask) if callable(self.said) else self.said
        if isinstance(said, AirsideError):
            raise type(said)(said.code, said.message, details=said.details)
        blocks: tuple[Block, ...] = (Text(said),) if isinstance(said, str) else tuple(said)
        usage = Usage(input=100, output=10)
        answer = Answer(blocks=blocks, stop="end", usage=usage, model=ask.route.model, answer_id="one")
        return Outcome(
            state=CallState.OK,
            body=ask.request.format.body(answer, ask.request),
            usage=usage,
            cost=ask.route.price.cost(usage),
            upstream=f"{self.name}/{ask.route.model}",
        )


def price(model: str) -> Price:
    """Return what a model costs."""
    dollars = PRICES.get(model, (7, 7))
    return configured(ModelPrice(input=Decimal(dollars[0]), output=Decimal(dollars[1])))


@dataclass
class Told:
    """Notices, noted."""

    kinds: list[str] = field(default_factory=list)

    def tell(self, tenant_id: str, kind: str, body: Any) -> None:
        self.kinds.append(kind)


@dataclass
class House:
    """Everything around the models. `settings` and `fallbacks` are looked at when a pipeline is made."""

    plane: InMemoryPlane
    models: dict[str, Model]
    routing: RoutingSettings
    fallbacks: FallbackSettings
    notices: Told = field(default_factory=Told)
    before: Sequence[Step] = ()

    def __post_init__(self) -> None:
        named = {name: ModelSettings(provider=name) for name in self.models}
        self.routes = Routes(self.models, named, "large", stand_ins(self.routing))
        database, clock, afterwork = self.plane.backend.database, self.plane.clock, self.plane.afterwork
        self.outcomes, self.fitted = Outcomes(database), FittedModels(database, self.plane.keyring)
        steps = self.plane.steps()
        at = next(index for index, step in enumerate(steps) if isinstance(step, Retry))
        self.asides = Asides(compose([steps[1], *steps[at:]], ask_provider), self.routes)
        policy = self.plane.policy
        route = RouteStep(
            self.routing,
            self.routes,
            policy,
            Judges(self.fitted, clock, afterwork),
            Cascade(self.routing.cascade, self.asides, Verdicts(self.outcomes, afterwork), clock),
            Shadow(self.routing.shadow, self.asides, self.outcomes, afterwork, clock),
        )
        chains = Chains(self.fallbacks, self.routing, self.routes, policy)
        fallback = Fallback(chains, self.plane.suspensions, self.notices, clock)
        self.pipeline = compose([*steps[:at], *self.before, route, fallback, *steps[at:]], ask_provider)

    async def ask(self, who: Identity, text: str = EASY, *, wish: str = "", **body: Any) -> Outcome:
        """Make a call and return what came of it."""
        return await self.pipeline(self.call(who, text, wish=wish, **body))

    def call(self, who: Identity, text: str = EASY, *, wish: str = "", **body: Any) -> Call:
        """Return a call as the gateway makes it."""
        value = {"model": "auto", "messages": [{"role": "user", "content": text}], **body}
        request = CHAT.parse(msgspec.json.encode(value), Addressed(), bytes_max=10_000_000)
        route = self.routes.find(request.model)
        ask = Ask(request, route, request.format.delivered(), [], 8_192)
        call = Call(
            call_id=new_id("call"),
            kind=CallKind.MODEL,
            name=request.model,
            token=token_of(who),
            parts=request.parts,
            effect=Effect.READ,
            idempotent=True,
            timeout_s=60.0,
            payload=ask,
            wishes={"route": wish} if wish else {},
        )
        return on_route(call, route)

    async def notes(self, who: Identity) -> list[dict[str, Any]]:
        """Return the notes of the run's intents, in their order."""
        rows = await self.plane.entries(who)
        return [row["body"].get("notes", {}) for row in rows if row["type"] == "call.intent"]

    async def settled(self) -> None:
        """Wait for what is done beside the calls."""
        assert await self.plane.afterwork.drain(10.0)


@asynccontextmanager
async def house(
    *,
    routing: dict[str, Any] | None = None,
    fallbacks: FallbackSettings | None = None,
    policy: Any = None,
    said: dict[str, Any | Callable[[Ask], Any]] | None = None,
    before: Sequence[Step] = (),
) -> AsyncIterator[House]:
    """Yield a house; `said` are the answers of models that say something else than `Paris.`, `before` more steps."""
    async with InMemoryPlane(policy=policy or load(None)) as plane:
        models = {name: Model(name, (said or {}).get(name, "Paris.")) for name in PRICES}
        settings = RoutingSettings(**({"models": TIERS} | (routing or {})))
        yield House(plane, models, settings, fallbacks or FallbackSettings(), before=before)


def text_of(outcome: Outcome) -> str:
    """Return what an answer says."""
    return str(msgspec.json.decode(outcome.body)["choices"][0]["message"]["content"])
