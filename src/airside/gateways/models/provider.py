"""The port between the model gateway and the places that answer, and the table of which model is answered where."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from airside.config.settings import ModelSettings
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.port import Delivered, Delta, Format, ModelRequest, Writer
from airside.gateways.models.pricing import Price, configured


class Route(Struct, frozen=True):
    """Where a model is answered, its name there, its price, and how many tokens it can hold (0 where unknown)."""

    provider: "Provider"
    model: str
    price: Price
    context_tokens: int = 0


class Gate(Protocol):
    """What a stream passes on its way to its client, where guards look at it while it arrives."""

    def begin(self, face: Format, delivered: Delivered) -> Delivered:
        """Return the note that the reader of an upstream of the client's own format keeps, in place of `delivered`."""
        ...

    async def passed(self, deltas: Sequence[Delta], writer: Writer | None) -> bytes:
        """Take what has come and return what leaves now: frames as they came, or what the writer makes of the text."""
        ...

    def sent(self) -> None:
        """Note in the call's `delivered` that what `passed` returned has been sent."""
        ...


class Ask(Struct, frozen=True):
    """A model call's payload: what is asked of a provider.

    `delivered` notes what a stream's client has been sent, `headers` are those that a stream starts with, `told` those
    that steps add to any answer. `output_tokens_max` is the installation's own limit of what is reserved and allowed.
    A stream passes `gate` if there is one.
    """

    request: ModelRequest
    route: Route
    delivered: Delivered
    headers: list[tuple[bytes, bytes]]
    output_tokens_max: int
    told: list[tuple[bytes, bytes]] = msgspec.field(default_factory=list)
    gate: Gate | None = None


def on_route(call: Call, route: Route) -> Call:
    """Return a model call aimed at a route, with the need that its price makes."""
    ask: Ask = call.payload
    limit = ask.output_tokens_max
    output_tokens = min(ask.request.output_tokens_max or limit, limit)
    return replace(
        call,
        need=route.price.need(ask.request.input_tokens_bound, output_tokens, long_cache=ask.request.long_cache),
        timeout_s=route.provider.timeout_s,
        payload=replace(ask, route=route),
    )


class Provider(Protocol):
    """Something that answers model calls."""

    name: str
    timeout_s: float

    def price(self, model: str) -> Price:
        """Return what a model costs here; raises AirsideError `unknown_model`."""
        ...

    def context_tokens(self, model: str) -> int:
        """Return how many tokens a model can hold, question and answer together; 0 if that is unknown."""
        ...

    def models(self) -> list[str]:
        """Return the names of models that are known without asking."""
        ...

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Answer, with at most `call.output_tokens_granted` tokens, streaming into `call.sink` if there is one.

        The outcome's body is the whole answer in the client's format; what it holds beyond `ask.delivered` is sent by
        the gateway. Raises TransientError for what may
        pass, if the client has been sent nothing yet, and AirsideError for what will not.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Routes:
    """Which model name is answered by which provider."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        models: Mapping[str, ModelSettings],
        default_provider: str,
        stand_ins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`stand_ins` are names for routing (`auto`), with the model whose route a call has until it is routed."""
        self._providers = providers
        self._models = models
        self._default = default_provider
        self._stand_ins = stand_ins
        for name in (default_provider, *[model.provider for model in models.values()]):
            if name not in providers:
                known = ", ".join(sorted(providers)) or "none"
                advice = f"Describe it under providers.{name}; known are: {known}."
                raise AirsideError(Code.MISCONFIGURED, f"there is no provider {name!r}", advice=advice)

    def find(self, model: str) -> Route:
        """Return the route of a model name that an agent uses; raises AirsideError `unknown_model`."""
        model = self._stand_ins.get(model, model)
        settings = self._models.get(model)
        if settings is None:
            provider = self._providers[self._default]
            return Route(provider, model, provider.price(model), provider.context_tokens(model))
        provider = self._providers[settings.provider]
        name = settings.model or model
        price = configured(settings.price) if settings.price else provider.price(name)
        return Route(provider, name, price, settings.context_tokens or provider.context_tokens(name))

    def names(self) -> list[str]:
        """Return the model names that are known."""
        return sorted({*self._stand_ins, *self._models, *self._providers[self._default].models()})

    async def close(self) -> None:
        """Release the providers' connections."""
        for provider in self._providers.values():
            await provider.close()
