"""The guards as configured: what detects, who names values, who remembers risk, and the service around them."""

from contextlib import AsyncExitStack

from airside.composition.ground import Ground
from airside.guards.defaults import scanner_of
from airside.guards.placeholders.vault import Vault
from airside.guards.risk.runs import RunRisks
from airside.guards.service import Guards


def open_guards(ground: Ground, stack: AsyncExitStack) -> Guards:
    """Make the guards and begin to write what runs come across; raises `misconfigured` if a detector misses a part."""
    settings, database = ground.settings, ground.backend.database
    risks = RunRisks(database)
    risks.start()
    stack.push_async_callback(risks.close)
    stages = {name: agent.stage for name, agent in settings.agents.items()}
    return Guards(
        settings.guards,
        scanner_of(settings.guards),
        Vault(database, ground.keyring, values_max=settings.guards.placeholders_max),
        risks,
        ground.resilience.notices,
        lambda agent: stages.get(agent, ""),
    )
