"""What goes to models, guarded and marked: the steps, from settings."""

from collections.abc import Callable

from airside.composition.ground import Ground
from airside.config.settings import Settings
from airside.config.spotlight import SpotlightSettings
from airside.core.call import Call, Outcome
from airside.core.ports import Forward, Keyring, Step
from airside.gateways.models.guarding.spotlight import Spotlight
from airside.gateways.models.guarding.step import GuardIn
from airside.guards.canary import Canaries
from airside.guards.service import Guards
from airside.guards.spotlight.marks import Marks


def guard_step(settings: Settings, guards: Guards) -> Step:
    """Return the step that checks what goes to models."""
    return GuardIn(guards) if settings.guards.enabled else passes


def spotlight_step(ground: Ground, canaries: Canaries) -> Step:
    """Return the step that marks what goes to models as what it is."""
    return Spotlight(_spotlight_of(ground.settings), Marks(ground.keyring.link_key), canaries)


def canaries_of(settings: Settings, keyring: Keyring) -> Canaries:
    """Return the canaries of this installation's runs."""
    of = _spotlight_of(settings)
    return Canaries(keyring.link_key, lambda agent: of(agent).canary)


def _spotlight_of(settings: Settings) -> Callable[[str], SpotlightSettings]:
    own = {name: agent.spotlight for name, agent in settings.agents.items() if agent.spotlight is not None}
    return lambda agent: own.get(agent, settings.guards.spotlight)


async def passes(call: Call, forward: Forward) -> Outcome:
    """Stand where a step is turned off."""
    return await forward(call)
