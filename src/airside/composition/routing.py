"""Routing and fallbacks, put together: which model answers, and what happens when it cannot."""

from airside.composition.ground import Ground
from airside.config.settings import Settings
from airside.core.ports import Policy
from airside.gateways.models.asides import Asides
from airside.gateways.models.fallbacks.step import Chains, Fallback
from airside.gateways.models.provider import Routes
from airside.gateways.models.providers.configured import providers
from airside.gateways.models.routing.cascade import Cascade
from airside.gateways.models.routing.models import FittedModels, Judges
from airside.gateways.models.routing.outcomes import Outcomes
from airside.gateways.models.routing.route import RouteStep
from airside.gateways.models.routing.shadow import Shadow
from airside.gateways.models.routing.verdicts import Verdicts
from airside.pipeline.afterwork import Afterwork
from airside.runs.services import RunServices


def route_step(ground: Ground, afterwork: Afterwork, asides: Asides, routes: Routes, policy: Policy) -> RouteStep:
    """Return the step that chooses the model."""
    settings, database, clock = ground.settings.routing, ground.backend.database, ground.clock
    outcomes = Outcomes(database)
    return RouteStep(
        settings,
        routes,
        policy,
        Judges(FittedModels(database, ground.keyring), clock, afterwork),
        Cascade(settings.cascade, asides, Verdicts(outcomes, afterwork), clock),
        Shadow(settings.shadow, asides, outcomes, afterwork, clock),
    )


def fallback_step(ground: Ground, services: RunServices, routes: Routes, policy: Policy) -> Fallback:
    """Return the step that finds another answer when a model cannot give one."""
    chains = Chains(ground.settings.fallbacks, ground.settings.routing, routes, policy)
    return Fallback(chains, services.suspensions, ground.resilience.notices, ground.clock)


def priced_routes(settings: Settings) -> Routes:
    """Return where models are answered, for their prices only: nothing is connected to."""
    return Routes(providers(settings.providers, mark_prefixes=False), settings.models, settings.model_provider)
