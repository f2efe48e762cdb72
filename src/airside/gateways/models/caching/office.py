"""What operators see of the caches and do with them: what was saved, how often hits were wrong, and clearing."""

from typing import Any

import msgspec

from airside.core.money import NanoUsd, to_decimal
from airside.core.ports import Database, Transaction
from airside.gateways.models.caching.savings import DAY_US
from airside.gateways.models.caching.thresholds import Belief
from airside.journal import events, queries

_SQL = queries.load("airside.gateways.models.caching", "cache.sql")
_belief = msgspec.json.Decoder(Belief).decode


async def summary(database: Database, tenant_id: str, *, days: int, agent: str = "") -> dict[str, Any]:
    """Return what the caches hold, what they have saved in the last days (UTC), and what was learned."""

    async def body(tx: Transaction) -> dict[str, Any]:
        size = await tx.one(_SQL["size"], tenant_id=tenant_id)
        since_day = tx.now_us // DAY_US - days + 1
        totals = await tx.fetch(_SQL["totals"], tenant_id=tenant_id, since_day=since_day, agent=agent)
        beliefs = await tx.fetch(_SQL["beliefs"], tenant_id=tenant_id)
        return {
            "entries": size["entries"] if size else 0,
            "bytes": size["bytes"] if size else 0,
            "saved": [
                {
                    "kind": row["kind"],
                    "hits": row["hits"],
                    "tokens": row["tokens"],
                    "usd": f"{to_decimal(NanoUsd(row['nanousd'])):f}",
                    "compared": row["trials"],
                    "wrong": row["wrong"],
                }
                for row in totals
            ],
            "learned": [_learned(row["embedder"], _belief(row["belief"])) for row in beliefs],
        }

    return await database.read(body)


async def clear(
    database: Database, tenant_id: str, *, agent: str, subject: str, learned: bool, by: str
) -> dict[str, int]:
    """Forget a tenant's answers: all, those of an agent, or those that came from or belong to a subject.

    `learned` also forgets what similarity has been found to mean. Processes give an answer for `cache.front_s` more.
    """

    async def body(tx: Transaction) -> int:
        dropped = await tx.execute(_SQL["clear"], tenant_id=tenant_id, agent=agent, subject=subject)
        if learned:
            await tx.execute(_SQL["forget"], tenant_id=tenant_id)
        said = {"agent": agent, "entries": dropped, "one_subject": bool(subject), "learned": learned, "by": by}
        await tx.append(events.entry(events.CACHE_CLEARED, said, tenant_id=tenant_id))
        return dropped

    return {"entries": await database.transact(body)}


def _learned(embedder: str, belief: Belief) -> dict[str, Any]:
    return {"embedder": embedder, "observations": belief.observations, "wrong": belief.wrong}
