"""What an agent's runs have done, read from the journal for mining: calls with their links, as they were decided on."""

import json
from typing import Any, Final

import msgspec

from airside.core.call import Effect
from airside.core.policy import Link
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.core.tool import Tool
from airside.journal.queries import load
from airside.policy.plans.mining import Observed, mine
from airside.policy.plans.plan import Plan, read

_SQL = load("airside.gateways.tools.provenance", "mining.sql")

RUNS_MAX: Final = 10_000
CALLS_MAX: Final = 2_000


async def mined(database: Database, keyring: Keyring, tenant_id: str, agent: str, runs_max: int) -> tuple[Plan, int]:
    """Return the plan mined from an agent's latest succeeded runs, and how many of them had effects."""

    async def latest(tx: Transaction) -> list[tuple[str, str]]:
        rows = await tx.fetch(_SQL["succeeded"], tenant_id=tenant_id, agent=agent, n=runs_max)
        return [(row["run_id"], row["subject"]) for row in rows]

    runs = []
    for run_id, subject in await database.read(latest):
        made = await _effects(database, keyring, tenant_id, run_id, subject)
        if made:
            runs.append(made)
    return mine(runs), len(runs)


async def plan_of_run(database: Database, keyring: Keyring, tenant_id: str, run_id: str) -> Plan | None:
    """Return the plan that a run has committed itself to."""

    async def body(tx: Transaction) -> Row | None:
        return await tx.one(_SQL["plan"], tenant_id=tenant_id, run_id=run_id)

    row = await database.read(body)
    if row is None:
        return None
    key = await keyring.subject(tenant_id, row["subject"])
    return read(json.loads(key.open(bytes(row["content"]), bytes(row["sealed"]))))


async def _effects(database: Database, keyring: Keyring, tenant_id: str, run_id: str, subject: str) -> list[Observed]:
    async def body(tx: Transaction) -> list[tuple[Row, bytes, bytes]]:
        found = []
        for row in await tx.fetch(_SQL["effects"], tenant_id=tenant_id, run_id=run_id, n=CALLS_MAX):
            names = json.loads(row["body"])["request"]
            name = bytes.fromhex(names[0]) if names else b""
            content = await tx.one(_SQL["content"], tenant_id=tenant_id, subject=subject, content_id=name)
            if content is not None:
                found.append((row, name, bytes(content["sealed"])))
        return found

    rows = await database.read(body)
    if not rows:
        return []
    key = await keyring.subject(tenant_id, subject)
    return [_observed(row, json.loads(key.open(name, sealed))) for row, name, sealed in rows]


def _observed(row: Row, arguments: Any) -> Observed:
    decision = json.loads(row["body"]).get("decision") or {}
    links = msgspec.convert(decision.get("links", ()), tuple[Link, ...])
    return Observed(Tool(name=row["name"], description="", schema={}, effect=Effect(row["effect"])), arguments, links)
