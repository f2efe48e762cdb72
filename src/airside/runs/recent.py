"""A run's latest calls as the journal has them: what `pipeline.progress` judges by."""

from collections.abc import Sequence

from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.core.run import Identity
from airside.journal.queries import load
from airside.journal.said import said
from airside.pipeline.answers import unpacked
from airside.pipeline.progress import Made

_SQL = load("airside.runs", "recent.sql")


class RecentCalls:
    """Implements `pipeline.progress.Recent`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def made(self, who: Identity, limit: int) -> Sequence[Made]:
        """Return the run's latest calls that have an outcome, the oldest first."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["made"], tenant_id=who.tenant_id, run_id=who.run_id, n=limit)

        rows = await self._database.read(body)
        key = await self._keyring.subject(who.tenant_id, who.subject)
        return [_made(row, key) for row in reversed(rows)]


def _made(row: Row, key: SubjectKey) -> Made:
    name = bytes(row["outcome"] or b"")
    text = ""
    if row["sealed"]:
        answer = said(unpacked(key.open(name, bytes(row["sealed"])))[0])
        text = "" if answer.tools else answer.text
    return Made(row["kind"], row["name"], bytes(row["request_hash"]), row["code"].encode() or name, text)
