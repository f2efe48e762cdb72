"""The pipeline that every call passes, in its order, and the shorter one of the calls that airside itself makes."""

from collections.abc import Callable

from airside.composition.ground import Ground
from airside.core.ports import Forward, Step
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import rebuild, tool_of
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.identify import Identify
from airside.pipeline.permit import Permit
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retry import Retry
from airside.policy.loading import load as load_policy
from airside.runs.services import RunServices


def pipeline(ground: Ground, services: RunServices, afterwork: Afterwork) -> Callable[[Forward], Forward]:
    """Return the one pipeline, in the order that is the design: see docs/architecture.md."""
    settings, journal, keyring, clock = ground.settings, ground.backend.journal, ground.keyring, ground.clock
    identities, policy = services.identities, load_policy(settings.policy.file)
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
        Fit(),
        Permit(policy, tool_of),
        Approve(services.approvals, policy, tool_of, rebuild, keyring),
        Retry(clock),
        Record(journal, keyring, identities, clock, afterwork, budget_wait_s=settings.budgets.wait_s),
    ]
    return lambda terminal: compose(steps, terminal)
