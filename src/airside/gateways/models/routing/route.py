"""The step `route`: a call that is to be routed goes to the cheapest model that keeps the floor, decided once.

It stands behind the cache and before fallback and retry. The decision, its reason and what else could have been chosen
stand in the call's notes, which are journaled with its intent. Whatever policy would not allow the agent to call by
name is no candidate. A conversation stays with its model and only moves up, as far as this process remembers it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airside.config.routing import RoutingSettings
from airside.core.call import Call, CallKind, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.policy import Verdict
from airside.core.ports import Forward, Policy
from airside.gateways.models.provider import Ask, Route, Routes, on_route
from airside.gateways.models.routing.candidates import Able, Question, able, decide
from airside.gateways.models.routing.cascade import Cascade
from airside.gateways.models.routing.choice import TIERS, Choice, explain_none
from airside.gateways.models.routing.models import Judges
from airside.gateways.models.routing.needs import converses, lacks, needs_of
from airside.gateways.models.routing.seeing import seen
from airside.gateways.models.routing.shadow import Shadow
from airside.gateways.models.routing.stays import Stays
from airside.gateways.models.routing.wishes import VIRTUAL, WISH, Wish, domains_of, wish_of
from airside.pipeline.refusal import Refusal

DOMAIN_WISH = "domain"


class RouteStep:
    """Routes model calls."""

    def __init__(
        self,
        settings: RoutingSettings,
        routes: Routes,
        policy: Policy,
        judges: Judges,
        cascade: Cascade,
        shadow: Shadow,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._policy = policy
        self._judges = judges
        self._cascade = cascade
        self._shadow = shadow
        self._stays = Stays()
        self._unasked = not (settings.models or settings.shadow.model)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, aimed at the model that was chosen.

        Raises `invalid_request` for a wish that nothing fulfils, with what each model lacks, `unknown_model` and
        `policy_denied` for a model that the caller names in vain.
        """
        if self._unasked and WISH not in call.wishes:
            return await forward(call)
        ask = call.payload
        if call.kind is not CallKind.MODEL or call.ready is not None or not isinstance(ask, Ask):
            return await forward(call)
        if not converses(ask.request):
            return await forward(call)
        wish = wish_of(call, ask.request.model, self._settings)
        if wish.mode == "off":
            return await self._shadowed(call, forward)
        try:
            choice, route, version = await self._decided(call, ask, wish)
        except _NotRouted as kept:
            return await forward(_noted(call, {"model": call.name, "reason": kept.reason, "source": "asked"}))
        note = choice.note() | {"by": wish.said_by, "asked": ask.request.model, "fitted": version}
        routed = _aimed(_noted(call, note), choice.model, route)
        if (better := self._cascade.above(choice)) is not None and wish.mode != "model":
            return await self._cascade(routed, choice, _aimed(routed, better, self._routes.find(better)), forward)
        return await self._shadowed(routed, forward)

    async def _shadowed(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, with a shadow call after it unless policy would not let the agent call that model."""
        candidate = self._settings.shadow.model
        if not candidate or not self._permits(call, candidate):
            return await forward(call)
        return await self._shadow.around(call, forward)

    async def _decided(self, call: Call, ask: Ask, wish: Wish) -> tuple[Choice, Route, int]:
        question = self._question(call, ask)
        version, fitted = await self._judges.of(call.who.tenant_id)
        if wish.mode == "model":
            route = self._asked_for(call, wish, question)
            choice = decide(self._settings, question, {wish.model: route}, fitted, asked=f"{wish.said_by} names it")
            return choice, route, version
        tier = "" if wish.mode == "auto" else wish.mode
        found = able(self._settings, question, self._routes.find, lambda name: self._permits(call, name), tier=tier)
        if not found.routes:
            raise self._nothing(call, ask, wish, found)
        asked = f"{wish.said_by} asks for the tier {tier}" if tier else ""
        choice = decide(self._settings, question, found.routes, fitted, asked)
        if not tier:
            choice = self._stayed(call, choice)
        return choice, found.routes[choice.model], version

    def _question(self, call: Call, ask: Ask) -> Question:
        request = ask.request
        looked = seen(call.parts)
        wished = call.wishes.get(DOMAIN_WISH, "")
        return Question(
            looked,
            needs_of(request, request.prompt),
            domains_of(looked.text, wished, self._settings),
            len(request.body),
            request.output_tokens_max,
        )

    def _asked_for(self, call: Call, wish: Wish, question: Question) -> Route:
        """Return the route of a model that the caller names."""
        try:
            route = self._routes.find(wish.model)
        except AirsideError as error:
            tiers = "off, auto, small, balanced, frontier"
            advice = f"x-airside-route takes {tiers}, or the name of a model with a provider and a price."
            raise Refusal(call, error.code, error.message, advice=advice) from None
        if not self._permits(call, wish.model):
            raise Refusal(call, Code.POLICY_DENIED, f"policy does not let this agent call the model {wish.model[:200]}")
        model = self._settings.models.get(wish.model)
        missing = lacks(model, model.context_tokens or route.context_tokens, question.needs) if model else ()
        if missing:
            raise Refusal(call, Code.INVALID_REQUEST, explain_none({wish.model: missing}))
        return route

    def _nothing(self, call: Call, ask: Ask, wish: Wish, found: Able) -> AirsideError:
        why = explain_none(found.lacking)
        if not found.lacking:
            why = f"no model of the tier {wish.mode} is configured under routing.models"
        if wish.said_by == "the agent's setting" and ask.request.model not in VIRTUAL:
            return _NotRouted(why)
        advice = "Add a capable model under routing.models, or ask for less."
        return Refusal(call, Code.INVALID_REQUEST, why, advice=advice)

    def _permits(self, call: Call, model: str) -> bool:
        if model == call.name:
            return True  # which `permit` has decided
        return self._policy.decide(replace(call, name=model), None).verdict is Verdict.ALLOW

    def _stayed(self, call: Call, choice: Choice) -> Choice:
        """Return the choice, or the model that the conversation is with, if that can answer and is no worse."""
        before = self._stays.of(call)
        stay = next((one for one in choice.candidates if one.model == before), None)
        if stay is None or stay.model == choice.model or TIERS.index(choice.tier) > TIERS.index(stay.tier):
            self._stays.stay(call, choice.model)
            return choice
        reason = f"the conversation stays with its model; alone, the call would go to {choice.model}"
        return replace(choice, model=stay.model, tier=stay.tier, quality=stay.quality, reason=reason)


class _NotRouted(AirsideError):
    """Nothing that the agent is routed to can answer, but the model that it names itself may."""

    def __init__(self, reason: str) -> None:
        super().__init__(Code.INVALID_REQUEST, reason)
        self.reason = reason


def _noted(call: Call, note: Mapping[str, Any]) -> Call:
    return replace(call, notes={**call.notes, "route": dict(note)})


def _aimed(call: Call, model: str, route: Route) -> Call:
    """Return the call aimed at a model; it is journaled, killed and counted under that model's name from here on."""
    ask: Ask = call.payload
    told = [item for item in ask.told if item[0] != b"x-airside-route"]
    ask.told[:] = [*told, (b"x-airside-route", model.encode("latin-1", "replace"))]
    return replace(on_route(call, route), name=model)
