"""What goes to models, guarded: the steps, from settings."""

from airside.config.settings import Settings
from airside.core.call import Call, Outcome
from airside.core.ports import Forward, Step
from airside.gateways.models.guarding.step import GuardIn
from airside.guards.service import Guards


def guard_step(settings: Settings, guards: Guards) -> Step:
    """Return the step that checks what goes to models."""
    return GuardIn(guards) if settings.guards.enabled else _passes


async def _passes(call: Call, forward: Forward) -> Outcome:
    """Stand where a step is turned off."""
    return await forward(call)
