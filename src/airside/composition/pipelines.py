"""The pipeline that every call passes, in its order, and the shorter one of the calls that airside itself makes."""

from collections.abc import Callable

from airside.composition.answers import answer_checks, answers_step
from airside.composition.caches import cache_step
from airside.composition.ground import Ground
from airside.composition.guarding import canaries_of, guard_step, spotlight_step
from airside.composition.judging import judges_of
from airside.composition.routing import fallback_step, route_step
from airside.composition.secrets import granted_only
from airside.composition.witnesses import witnesses
from airside.config.context import ContextSettings
from airside.config.settings import Settings
from airside.core.ports import Forward, Step, Witness
from airside.gateways.dependencies import dependencies_of
from airside.gateways.models.asides import Asides
from airside.gateways.models.batching.group import Group, Widen
from airside.gateways.models.context.leaving import Leaving
from airside.gateways.models.context.step import Context
from airside.gateways.models.formats.openai_embeddings.format import EMBEDDINGS
from airside.gateways.models.gateway import ask_provider
from airside.gateways.models.histories import Histories
from airside.gateways.models.provider import Routes
from airside.gateways.models.threads import Threads
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import rebuild, tool_of
from airside.gateways.tools.guarding.arguments import Arguments, again
from airside.gateways.tools.guarding.restore import Restore
from airside.gateways.tools.remembering.shelf import Shelf
from airside.gateways.tools.remembering.step import Remembering
from airside.guards.service import Guards
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.breaker import Breaker
from airside.pipeline.bulkhead import Bulkhead
from airside.pipeline.compose import compose
from airside.pipeline.deadline import Deadline
from airside.pipeline.evidence import Evidence
from airside.pipeline.identify import Identify
from airside.pipeline.park import Park
from airside.pipeline.permit import Permit
from airside.pipeline.progress import Progress
from airside.pipeline.rate import Rate
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retries import RetryBudget
from airside.pipeline.retry import Retry
from airside.pipeline.throttle import Throttle
from airside.runs.recent import RecentCalls
from airside.runs.services import RunServices


def pipeline(
    ground: Ground,
    services: RunServices,
    afterwork: Afterwork,
    routes: Routes,
    provenance: Witness,
    guards: Guards,
) -> Callable[[Forward], Forward]:
    """Return the one pipeline, in the order that is the design: see docs/architecture.md."""
    settings, clock = ground.settings, ground.clock
    identities, policy = services.identities, ground.policy
    replay = _replay(ground, services, afterwork)
    calling = _calling(ground, services, afterwork)
    canaries = canaries_of(settings, ground.keyring)
    checks = answer_checks(settings.guards, guards, canaries.of)
    inner = compose([replay, *calling, answers_step(settings.guards, checks, None)], ask_provider)
    asides = Asides(inner, routes, EMBEDDINGS)
    guards.judges = judges_of(settings.guards, asides)
    bytes_max = settings.server.body_bytes_max
    histories = Histories(ground.backend.database, ground.keyring, bytes_max=bytes_max)
    evidence = Evidence(witnesses(ground, services, provenance, guards), tool_of, clock)
    restore = Restore(guards.placeholders, settings.guards.restore, ground.keyring)
    arguments = Arguments(guards, canaries.of)
    asked_again = again(restore, arguments, evidence.gathered)
    steps: list[Step] = [
        Identify(identities, clock),
        histories,
        Threads(histories, bytes_max=bytes_max),
        restore,
        replay,
        Deadline(clock),
        Rate(ground.resilience.call_rates),
        _progress(ground, services),
        Fit(granted_only(settings)),
        arguments,
        guard_step(settings, guards),
        evidence,
        Permit(policy, tool_of),
        Approve(services.approvals, policy, tool_of, asked_again, rebuild, ground.keyring),
        Context(_context_of(settings), Leaving(asides), ground.resilience.notices),
        cache_step(ground, afterwork, asides),
        Remembering(Shelf(ground.backend.database, ground.keyring), ground.keyring),
        spotlight_step(ground, canaries),
        route_step(ground, afterwork, asides, routes, policy),
        Park(services.suspensions, ground.resilience.breakers, dependencies_of),
        fallback_step(ground, services, routes, policy),
        Widen(settings.batching),
        *calling,
        answers_step(settings.guards, checks, asides),
    ]
    return lambda terminal: compose(steps, Group(settings.batching, terminal))


def _progress(ground: Ground, services: RunServices) -> Progress:
    settings = ground.settings
    own = {name: agent.progress for name, agent in settings.agents.items() if agent.progress is not None}
    return Progress(
        RecentCalls(ground.backend.database, ground.keyring),
        lambda agent: own.get(agent, settings.budgets.progress),
        frozenset(settings.tools.polling),
        services.suspensions,
        ground.resilience.notices,
    )


def _replay(ground: Ground, services: RunServices, afterwork: Afterwork) -> Replay:
    return Replay(
        ground.backend.journal,
        ground.keyring,
        services.identities,
        services.suspensions,
        ground.clock,
        afterwork,
        divergence_wait_s=ground.settings.runs.divergence_wait_s,
    )


def _calling(ground: Ground, services: RunServices, afterwork: Afterwork) -> list[Step]:
    """Return the steps next to the call itself, which asides pass too."""
    settings, clock, resilience = ground.settings, ground.clock, ground.resilience
    retries = RetryBudget(clock, share=settings.resilience.retry_share, free=settings.resilience.retries_free)
    return [
        Retry(clock, budget=retries, dependencies_of=dependencies_of),
        Throttle(ground.levels.pace, clock),
        Bulkhead(resilience.bulkheads, dependencies_of),
        Breaker(resilience.breakers, dependencies_of, clock, hang_s=settings.resilience.breakers.hang_s),
        Record(
            ground.backend.journal,
            ground.keyring,
            services.identities,
            clock,
            afterwork,
            budget_wait_s=settings.budgets.wait_s,
        ),
    ]


def _context_of(settings: Settings) -> Callable[[str], ContextSettings]:
    own = {name: agent.context for name, agent in settings.agents.items() if agent.context is not None}
    return lambda agent: own.get(agent, settings.context)
