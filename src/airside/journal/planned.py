"""Committing a run to its plan: once, with the entry that proves when."""

from airside.core.ports import Sealed, Transaction
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.journal", "planned.sql")


async def commit_plan(tx: Transaction, run_id: str, plan: Sealed, *, said_by: str, steps: int) -> bool:
    """Commit a run to a sealed plan; `said_by` is `submission` or `agent`. False if it has another one already."""
    named = {"tenant_id": plan.tenant_id, "run_id": run_id}
    made = await tx.execute(_SQL["commit"], **named, content=plan.content_id, said_by=said_by, now_us=tx.now_us)
    if not made:
        row = await tx.one(_SQL["committed"], **named)
        return row is not None and bytes(row["content"]) == plan.content_id
    await tx.store(plan)
    note = {"plan": plan.content_id.hex(), "said_by": said_by, "steps": steps}
    await tx.append(events.entry(events.PLAN_COMMITTED, note, **named))
    return True
