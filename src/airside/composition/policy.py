"""The policy in force, from settings: its layers, what follows their files, and who knows the sums."""

import hmac
from collections.abc import Mapping
from contextlib import AsyncExitStack

from airside.config.settings import Settings
from airside.core.ports import Database, Notices, Witness
from airside.core.tool import Tool
from airside.gateways.tools.manifest import declare, load_manifests
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


def known_tools(settings: Settings) -> Mapping[str, Tool]:
    """Return the tools that settings and manifest files speak of by name; nothing is asked or started."""
    local = {name: declare(_unsaid(name, "local"), said) for name, said in settings.tools.local.items()}
    entries = load_manifests(settings.tools.manifests).named()
    named = {}
    for full, entry in entries.items():
        source, _, tool = full.partition("/")
        name = prefix_of(settings, source) + tool
        named[name] = declare(_unsaid(name, source), entry, declared=entry.declared)
    return named | local


def prefix_of(settings: Settings, source: str) -> str:
    """Return what stands before the names of a source's tools."""
    kind, _, name = source.partition(":")
    server, api = settings.tools.mcp.get(name), settings.tools.openapi.get(name)
    said = server.prefix if kind == "mcp" and server else api.prefix if kind == "openapi" and api else None
    return said if said is not None else f"{name}__" if kind in ("mcp", "openapi") else ""


def _unsaid(name: str, source: str) -> Tool:
    return Tool(name=name, description="", schema={}, source=source)
