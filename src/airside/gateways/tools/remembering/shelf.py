"""Where results of tools are kept: sealed, in the database, so that processes share them.

A result is kept only if nothing has been declared stale since its call began: an effect that happens while a read is
under way makes what the read brings worthless.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from airside.core.errors import AirsideError
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.journal import events, queries

_SQL = queries.load("airside.gateways.tools.remembering", "results.sql")
_log = structlog.get_logger(__name__)

SECOND_US = 1_000_000
RESULT_BYTES_MAX = 1_048_576
TENANT_BYTES_MAX = 268_435_456
SIZE_EVERY = 32
"""Every so many results that a process keeps, the tenant's size is measured and brought under its limit."""


class Shelf:
    """Keeps results of all tenants."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._kept = 0

    async def find(self, tenant_id: str, tool: str, owner: str, entry_key: bytes) -> tuple[bytes | None, int]:
        """Return the result of an equal call, or None, and the generation that a new result would belong to."""

        async def body(tx: Transaction) -> tuple[Row | None, Row | None]:
            found = await tx.one(_SQL["find"], tenant_id=tenant_id, tool=tool, entry_key=entry_key, now_us=tx.now_us)
            return found, await tx.one(_SQL["generation"], tenant_id=tenant_id, tool=tool)

        row, generation = await self._database.read(body)
        result = await self._opened(tenant_id, owner, row) if row else None
        if result is not None:
            named = {"tenant_id": tenant_id, "tool": tool, "entry_key": entry_key}
            await self._database.transact(lambda tx: tx.execute(_SQL["hit"], **named))
        return result, generation["generation"] if generation else 0

    async def _opened(self, tenant_id: str, owner: str, row: Row) -> bytes | None:
        """Open a result under its owner's key, if the subject whose call made it has not been erased."""
        if row["owner"] != owner:
            return None
        try:
            await self._keyring.subject(tenant_id, row["origin"])
            key = await self._keyring.subject(tenant_id, owner)
            return key.open(bytes(row["content_id"]), bytes(row["sealed"]))
        except AirsideError as error:
            _log.error("tool_result_not_opened", tenant_id=tenant_id, code=error.code.value)
            return None

    async def keep(
        self, tool: str, entry_key: bytes, result: bytes, *, key: SubjectKey, origin: str, ttl_s: float, generation: int
    ) -> bool:
        """Keep a result for `ttl_s` seconds; return False, and keep nothing, if the tool's results became stale."""
        sealed = key.seal(result)
        named = {"tenant_id": sealed.tenant_id, "tool": tool}
        measured = self._kept % SIZE_EVERY == 0
        self._kept += 1

        async def body(tx: Transaction) -> bool:
            await tx.execute(_SQL["begin_generation"], **named)
            now = await tx.one(_SQL["lock_generation"], **named)
            if now is None or now["generation"] != generation:
                return False
            await tx.execute(
                _SQL["keep"],
                **named,
                entry_key=entry_key,
                owner=sealed.subject,
                origin=origin,
                content_id=sealed.content_id,
                sealed=sealed.blob,
                bytes=len(sealed.blob),
                now_us=tx.now_us,
                expires_us=tx.now_us + int(ttl_s * SECOND_US),
            )
            if measured:
                await _shrink(tx, sealed.tenant_id)
            return True

        return await self._database.transact(body)

    async def stale(self, tenant_id: str, tools: Sequence[str], by: str = "") -> int:
        """Forget the results of tools, those under way included; return how many there were. `by` names a person."""

        async def body(tx: Transaction) -> int:
            dropped = 0
            for tool in sorted(set(tools)):
                named = {"tenant_id": tenant_id, "tool": tool}
                await tx.execute(_SQL["next_generation"], **named)
                dropped += await tx.execute(_SQL["stale"], **named)
            if by:
                said = {"tools": sorted(set(tools)), "entries": dropped, "by": by}
                await tx.append(events.entry(events.TOOL_RESULTS_CLEARED, said, tenant_id=tenant_id))
            return dropped

        return await self._database.transact(body)

    async def totals(self, tenant_id: str) -> list[dict[str, Any]]:
        """Return what is kept of each tool, and how often it has served."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [dict(row) for row in await tx.fetch(_SQL["totals"], tenant_id=tenant_id)]

        return await self._database.read(body)


async def _shrink(tx: Transaction, tenant_id: str) -> None:
    await tx.execute(_SQL["expired"], tenant_id=tenant_id, now_us=tx.now_us)
    size = await tx.one(_SQL["size"], tenant_id=tenant_id)
    excess = int(size["bytes"] if size else 0) - TENANT_BYTES_MAX
    while excess > 0:
        oldest = await tx.fetch(_SQL["oldest"], tenant_id=tenant_id)
        for row in oldest:
            await tx.execute(_SQL["drop"], tenant_id=tenant_id, tool=row["tool"], entry_key=bytes(row["entry_key"]))
            excess -= row["bytes"]
            if excess <= 0:
                return
        if not oldest:
            return
