"""The policy in force, from settings: its layers, what follows their files, and who knows the sums."""

import hmac
from contextlib import AsyncExitStack

from airside.config.settings import Settings
from airside.core.ports import Database, Notices, Witness
from airside.policy.files import Files, PolicyFiles
from airside.policy.live import LivePolicy, Reloading
from airside.policy.windows import Place
from airside.policy.witness import PolicyWitness

_PURPOSE = b"airside: names of sums of policy, v1"


def policy_files(settings: Settings) -> Files:
    """Return where the layers of an installation's policy are."""
    agents = {name: agent.policy for name, agent in settings.agents.items() if agent.policy is not None}
    return Files(settings.policy.file, settings.policy.tenants, agents)


def open_policy(
    settings: Settings, database: Database, notices: Notices, master_key: bytes, stack: AsyncExitStack
) -> LivePolicy:
    """Read the policy and follow its files. Raises AirsideError `misconfigured` if one is not usable."""
    salt = hmac.digest(master_key, _PURPOSE, "sha256")  # sums over an argument's values are named by it, not by them
    policy = LivePolicy(PolicyFiles(policy_files(settings), Place("", settings.time_zone, salt)))
    reloading = Reloading(policy, database, notices, settings.tenant, every_s=settings.policy.reload_s)
    reloading.start()
    stack.push_async_callback(reloading.close)
    return policy


def policy_witness(settings: Settings, policy: LivePolicy, database: Database) -> Witness:
    """Return who knows of a call's caller, stage and sums."""
    stages = {name: agent.stage for name, agent in settings.agents.items()}
    return PolicyWitness(policy, database, lambda agent: stages.get(agent, ""))
