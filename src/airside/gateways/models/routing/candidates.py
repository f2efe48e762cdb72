"""The models that can answer a call, what their answers would cost, and how good they are predicted to be."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from airside.config.routing import RoutedModel, RoutingSettings
from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.gateways.models.provider import Route
from airside.gateways.models.routing.choice import (
    TIERS,
    Candidate,
    Choice,
    choose_asked,
    choose_guessed,
    choose_learned,
)
from airside.gateways.models.routing.features import Seen, features
from airside.gateways.models.routing.fitted import Fitted
from airside.gateways.models.routing.heuristic import CONFIDENCE, guessed_quality, hardness
from airside.gateways.models.routing.needs import BYTES_PER_TOKEN, OUTPUT_TOKENS, Needs, lacks


class Question(Struct, frozen=True):
    """A call as routing looks at it."""

    seen: Seen
    needs: Needs
    domains: frozenset[str]
    body_bytes: int
    output_tokens_max: int | None


class Able(Struct, frozen=True):
    """Models that can answer, each with its route, and what every other lacks."""

    routes: Mapping[str, Route]
    lacking: Mapping[str, Sequence[str]]


def able(
    settings: RoutingSettings,
    question: Question,
    find: Callable[[str], Route],
    allowed: Callable[[str], bool],
    tier: str = "",
) -> Able:
    """Return which of the configured models can answer; of one tier if it is given.

    `find` raises AirsideError for a model without a provider or a price, `allowed` is the policy's word.
    """
    routes: dict[str, Route] = {}
    lacking: dict[str, Sequence[str]] = {}
    for name, model in settings.models.items():
        if tier and model.tier != tier:
            continue
        missing = _missing(name, model, question, find, allowed)
        if isinstance(missing, Route):
            routes[name] = missing
        else:
            lacking[name] = missing
    return Able(routes, lacking)


def _missing(
    name: str,
    model: RoutedModel,
    question: Question,
    find: Callable[[str], Route],
    allowed: Callable[[str], bool],
) -> Route | Sequence[str]:
    if model.domain and model.domain not in question.domains:
        return (f"anything to do with it: it is for {model.domain}",)
    try:
        route = find(name)
    except AirsideError as error:
        return (f"a route ({error.code})",)
    missing = lacks(model, model.context_tokens or route.context_tokens, question.needs)
    if not missing and not allowed(name):
        return ("the policy's permission",)
    return missing or route


def decide(
    settings: RoutingSettings, question: Question, routes: Mapping[str, Route], fitted: Fitted | None, asked: str = ""
) -> Choice:
    """Return the decision among models that can answer, of which there is at least one.

    What was learned decides if it is about every one of them; else all are guessed, so that like is compared with like.
    `asked` is why the caller's own choice stands instead.
    """
    known = fitted.classifier.judges if fitted else {}
    if fitted is None or not routes.keys() <= known.keys():
        return _guess(settings, question, routes, asked)
    found = features(question.seen)
    candidates = _priced(
        settings,
        question,
        routes,
        {name: known[name].quality(found) for name in routes},
        {name: known[name].output_tokens_mean for name in routes},
    )
    if asked:
        return choose_asked(candidates, asked)
    confidence = fitted.classifier.familiar(found)
    rate = fitted.rate(settings.quality_floor)
    return choose_learned(candidates, rate, settings.quality_floor, confidence, settings.familiar_min)


def _guess(settings: RoutingSettings, question: Question, routes: Mapping[str, Route], asked: str) -> Choice:
    hard = hardness(question.seen)
    qualities = {
        name: guessed_quality(
            settings.models[name].tier, hard, in_domain=settings.models[name].domain in question.domains
        )
        if name in settings.models
        else 1.0
        for name in routes
    }
    candidates = _priced(settings, question, routes, qualities, {})
    if asked:
        return choose_asked(candidates, asked)
    return choose_guessed(candidates, settings.quality_floor, hard.signs, CONFIDENCE)


def _priced(
    settings: RoutingSettings,
    question: Question,
    routes: Mapping[str, Route],
    qualities: Mapping[str, float],
    output_tokens: Mapping[str, float],
) -> list[Candidate]:
    """Return the candidates, the weakest tier first; the learned decision wants the strongest last."""
    found = []
    for name, route in routes.items():
        answer = int(output_tokens.get(name, 0.0)) or OUTPUT_TOKENS
        answer = min(answer, question.output_tokens_max or answer)
        usage = Usage(input=question.body_bytes // BYTES_PER_TOKEN + 1, output=answer)
        tier = settings.models[name].tier if name in settings.models else "frontier"
        found.append(Candidate(name, tier, route.price.cost(usage), qualities[name]))
    return sorted(found, key=lambda one: (TIERS.index(one.tier), one.quality, one.cost, one.model))
