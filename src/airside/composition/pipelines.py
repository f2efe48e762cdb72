"""The pipeline that every call passes, in its order, and the shorter one of the calls that airside itself makes."""

from collections.abc import Callable

from airside.composition.ground import Ground
from airside.core.ports import Forward, Step
from airside.gateways.dependencies import dependencies_of
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import rebuild, tool_of
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.breaker import Breaker
from airside.pipeline.bulkhead import Bulkhead
from airside.pipeline.compose import compose
from airside.pipeline.deadline import Deadline
from airside.pipeline.identify import Identify
from airside.pipeline.park import Park
from airside.pipeline.permit import Permit
from airside.pipeline.rate import Rate
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retries import RetryBudget
from airside.pipeline.retry import Retry
from airside.policy.loading import load as load_policy
from airside.runs.services import RunServices


def pipeline(ground: Ground, services: RunServices, afterwork: Afterwork) -> Callable[[Forward], Forward]:
    """Return the one pipeline, in the order that is the design: see docs/architecture.md."""
    settings, journal, keyring, clock = ground.settings, ground.backend.journal, ground.keyring, ground.clock
    identities, policy = services.identities, load_policy(settings.policy.file)
    resilience, breakers = ground.resilience, settings.resilience.breakers
    retries = RetryBudget(clock, share=settings.resilience.retry_share, free=settings.resilience.retries_free)
    steps: list[Step] = [
        Identify(identities, clock),
        Replay(
            journal,
            keyring,
            identities,
            services.suspensions,
            clock,
            afterwork,
            divergence_wait_s=settings.runs.divergence_wait_s,
        ),
        Deadline(clock),
        Rate(resilience.calls),
        Fit(),
        Permit(policy, tool_of),
        Approve(services.approvals, policy, tool_of, rebuild, keyring),
        Park(services.suspensions),
        Retry(clock, budget=retries, dependencies_of=dependencies_of),
        Bulkhead(resilience.bulkheads, dependencies_of),
        Breaker(
            resilience.breakers,
            dependencies_of,
            clock,
            hang_s=breakers.hang_s,
            tool_errors_count=breakers.tool_errors_count,
        ),
        Record(journal, keyring, identities, clock, afterwork, budget_wait_s=settings.budgets.wait_s),
    ]
    return lambda terminal: compose(steps, terminal)
