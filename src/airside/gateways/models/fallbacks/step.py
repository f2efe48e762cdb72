"""The step `fallback`, around retry: when a model cannot answer, others are tried, and then what is no model (E2, E9).

The order is fixed: the models of the chain, an answer by rule, a person, the safe answer. Each hop is a try of the same
call with a reservation at its own price and an intent that says after whom and why. Nothing is tried once a stream's
client has been sent anything. What no model said is labelled in the body, in the headers and in the journal.
"""

import re
from collections.abc import Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from airside.config.routing import FallbackSettings, RoutingSettings
from airside.core.call import Call, CallKind, CallState, Need, Outcome
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.policy import Verdict
from airside.core.ports import Forward, Notices, Policy, Suspensions
from airside.gateways.models.fallbacks.hops import Hop, chain_of, may_go_on, may_help, spoken
from airside.gateways.models.message import Answer, Text
from airside.gateways.models.provider import Ask, Route, Routes, on_route
from airside.gateways.models.routing.needs import converses, lacks, needs_of
from airside.gateways.models.routing.seeing import seen
from airside.pipeline.retry import TRIES_MAX
from airside.pipeline.waiting import unanswered

HEADER = b"x-airside-fallback"
TEXT_CHARS_MAX = 4_000  # that rules look at
TIME_LEFT_S_MIN = 0.05
RULE, SAFE = "airside/rule", "airside/safe-answer"
"""What stands as the model of an answer that no model gave."""

_log = structlog.get_logger(__name__)


class Chains(Struct, frozen=True):
    """What the step decides by."""

    settings: FallbackSettings
    routing: RoutingSettings
    routes: Routes
    policy: Policy


class Fallback:
    """Finds another answer for a model call that failed."""

    def __init__(self, chains: Chains, suspensions: Suspensions, notices: Notices, clock: Clock) -> None:
        self._chains = chains
        self._suspensions = suspensions
        self._notices = notices
        self._clock = clock
        self._rules = [(re.compile(rule.pattern, re.IGNORECASE), rule.answer) for rule in chains.settings.rules]

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on. Raises the first model's failure if nothing else answers, with what was tried."""
        ask = call.payload
        if call.kind is not CallKind.MODEL or call.ready is not None or not isinstance(ask, Ask):
            return await forward(call)
        if not converses(ask.request):
            return await forward(call)
        try:
            return await forward(call)
        except AirsideError as error:
            if not may_help(error) or ask.delivered.anything:
                raise
            return await self._elsewhere(call, ask, error, forward)

    async def _elsewhere(self, call: Call, ask: Ask, first: AirsideError, forward: Forward) -> Outcome:
        hops = [Hop(call.name, first.code)]
        current = call
        for model in chain_of(self._chains.settings.chains, ask.request.model, call.name):
            if call.deadline_s - self._clock.monotonic_s() < TIME_LEFT_S_MIN:
                break
            route = self._route(call, ask, model)
            if not isinstance(route, Route):
                hops.append(Hop(model, route))
                continue
            _tell(ask, model)
            current = _next(current, model, on_route(current, route), hops)
            try:
                return await forward(current)
            except AirsideError as error:
                if not may_go_on(error) or ask.delivered.anything:
                    raise
                hops.append(Hop(model, error.code))
        return await self._without_model(current, ask, hops, first, forward)

    def _route(self, call: Call, ask: Ask, model: str) -> Route | str:
        """Return the route of another model, or why it is none for this call."""
        try:
            route = self._chains.routes.find(model)
            known = self._chains.routing.models.get(model)
            if known is not None:
                needs = needs_of(ask.request, ask.request.prompt)
                if missing := lacks(known, known.context_tokens or route.context_tokens, needs):
                    return f"lacks {', '.join(missing)}"
        except AirsideError as error:
            return error.code.value
        if self._chains.policy.decide(replace(call, name=model), None).verdict is not Verdict.ALLOW:
            return Code.POLICY_DENIED.value
        return route

    async def _without_model(
        self, call: Call, ask: Ask, hops: Sequence[Hop], first: AirsideError, forward: Forward
    ) -> Outcome:
        settings = self._chains.settings
        text = seen(call.parts).text[:TEXT_CHARS_MAX] if self._rules else ""
        said = next((answer for pattern, answer in self._rules if pattern.search(text)), "")
        if said:
            return await self._said(call, ask, RULE, said, hops, forward)
        if settings.human and call.who.supervised:
            message = f"no model could answer ({spoken(hops)}); a person must take over"
            body = {"key": call.who.run_id, "run": call.who.run_id, "call": call.call_id, "tried": spoken(hops)}
            self._notices.tell(call.who.tenant_id, "run.escalated", body)
            await self._suspensions.suspend(call.who, "escalated", message)
            return await unanswered()
        if settings.safe_answer:
            return await self._said(call, ask, SAFE, settings.safe_answer, hops, forward)
        if len(hops) > 1:
            first.details = {**first.details, "tried": spoken(hops)}
        raise first

    async def _said(self, call: Call, ask: Ask, name: str, text: str, hops: Sequence[Hop], forward: Forward) -> Outcome:
        """Answer without a model. The answer takes the way of every other, so that it is journaled and replayed."""
        _tell(ask, name)
        answer = Answer(blocks=(Text(text),), stop="end", usage=None, model=name, answer_id=call.call_id)
        body = ask.request.format.body(answer, ask.request)
        ready = Outcome(state=CallState.OK, body=body, upstream=name, call_id=call.call_id)
        return await forward(_next(call, name, replace(call, ready=ready, need=Need()), hops))


def _next(before: Call, model: str, aimed: Call, hops: Sequence[Hop]) -> Call:
    """Return the next try of a call, at another model."""
    note = {"after": [{"model": hop.model, "code": hop.code} for hop in hops], "to": model}
    _log.info("fallback", call_id=before.call_id, to=model, tried=spoken(hops))
    return replace(
        aimed,
        name=model,
        try_number=before.try_number + TRIES_MAX,  # each model has its own tries, so their numbers never meet
        notes={**before.notes, "fallback": note},
    )


def _tell(ask: Ask, model: str) -> None:
    told = [item for item in ask.told if item[0] != HEADER]
    ask.told[:] = [*told, (HEADER, model.encode("latin-1", "replace"))]
