"""The chain at work: what nobody decided on reaches the next group, and old links are forgotten."""

from collections.abc import Sequence

from airside.config.approvals import ApprovalSettings
from airside.core.ports import Database, Row, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.runs.reviewing import seeds
from airside.runs.reviewing.chain import due_us
from airside.runs.reviewing.intake import tell

_SQL = load("airside.runs.reviewing", "reviewing.sql")


class Escalation:
    """Looks for what has waited long enough."""

    def __init__(self, database: Database, settings: ApprovalSettings) -> None:
        self._database = database
        self._chain = settings.escalation

    async def sweep(self) -> int:
        """Move what is due one step up and tell the people there; return how many moved. Safe in several processes."""

        async def due(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["climbing"], now_us=tx.now_us)

        rows = await self._database.read(due) if self._chain else ()
        moved = 0
        for row in rows:
            moved += await self._database.transact(lambda tx, row=row: self._climb(tx, row))  # type: ignore[misc]
        return moved

    async def tidy(self) -> None:
        """Expire bad proposals that nobody decided on, and forget links that would have expired anyway."""

        async def body(tx: Transaction) -> None:
            await seeds.expire(tx)
            await tx.execute(_SQL["forget_links"], now_us=tx.now_us)

        await self._database.transact(body)

    async def _climb(self, tx: Transaction, row: Row) -> int:
        step = min(row["step"], len(self._chain) - 1)
        columns = {
            "tenant_id": row["tenant_id"],
            "approval_id": row["approval_id"],
            "step": row["step"],
            "escalate_us": due_us(self._chain, row["requested_us"], row["step"] + 1),
        }
        real = await tx.execute(_SQL["climb"], **columns)
        if not real and not await tx.execute(_SQL["climb_seed"], **columns):
            return 0
        told = [(step + 1, target) for target in self._chain[step].notify]
        await tell(tx, row["tenant_id"], row["approval_id"], told, tx.now_us)
        body = {"approval": row["approval_id"], "step": row["step"] + 1}
        await tx.append(events.entry(events.APPROVAL_ESCALATED, body, tenant_id=row["tenant_id"]))
        return 1
