"""The releases this process can run: one per configured agent, named by what the configuration says about it."""

import json
from collections.abc import Mapping

from airside.config.settings import AgentSettings, Settings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Transaction
from airside.core.release import Release
from airside.journal import events
from airside.journal.queries import load
from airside.policy.loading import load as load_policy
from airside.runs.record import RunRecord

_SQL = load("airside.runs", "releases.sql")


def configured(settings: Settings) -> Mapping[str, Release]:
    """Return the release of each configured agent by its name. What only limits a run is not part of the release."""
    return {name: Release(name, _manifest(agent)) for name, agent in settings.agents.items()}


def _manifest(agent: AgentSettings) -> dict[str, object]:
    manifest = agent.model_dump(mode="json", include={"adapter", "entry", "command", "path", "model", "tools"})
    return manifest if agent.policy is None else manifest | {"policy": load_policy(agent.policy).version}


async def record(database: Database, tenant_id: str, releases: Mapping[str, Release]) -> None:
    """Write the releases that are new, and point `stable` at each agent's present one."""

    async def body(tx: Transaction) -> None:
        for release in releases.values():
            named = {"tenant_id": tenant_id, "fingerprint": release.fingerprint, "agent": release.agent}
            manifest = json.dumps(dict(release.manifest), sort_keys=True)
            if await tx.execute(_SQL["add"], **named, manifest=manifest, now_us=tx.now_us):
                await tx.append(
                    events.entry(
                        events.RELEASE_CREATED,
                        {"agent": release.agent, "fingerprint": release.fingerprint},
                        tenant_id=tenant_id,
                    )
                )
            await tx.execute(_SQL["point"], **named, alias="stable", now_us=tx.now_us)

    await database.transact(body)


async def require(tx: Transaction, run: RunRecord, fingerprint: str) -> None:
    """Raise `release_unavailable` unless the release is one of the run's agent."""
    found = await tx.one(_SQL["known"], tenant_id=run.tenant_id, fingerprint=fingerprint, agent=run.agent)
    if found is None:
        raise AirsideError(Code.RELEASE_UNAVAILABLE, f"{run.agent} has no release {fingerprint}")
