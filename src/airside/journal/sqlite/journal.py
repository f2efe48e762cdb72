"""The journal's hot path on SQLite: each operation goes into the writer's next batch; looks are answered at once."""

import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from airside.core.call import Call, CallState
from airside.core.ports import Admission, Closed, Closing, Entry, Opening, Recorded, Refused, Sealed
from airside.core.run import Identity
from airside.journal.sqlite import calls
from airside.journal.sqlite.database import SqliteDatabase
from airside.journal.sqlite.writer import Batch

T = TypeVar("T")


class SqliteJournal:
    """Implements core.ports.Journal."""

    def __init__(self, database: SqliteDatabase, executor_id: str) -> None:
        self.executor_id = executor_id
        self._database = database

    async def claimable(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> bool:
        """Look whether there is anything to claim."""
        wanted = calls.asked_for(identity, request_hash, request_key)
        found = await self._database.glance(lambda reader: calls.run(reader, "claimable", wanted).fetchone())
        return found is not None

    async def claim(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> Recorded | None:
        """Claim the lowest occurrence that this attempt has not consumed."""
        claim = partial(calls.claim_call, identity=identity, request_hash=request_hash, request_key=request_key)
        return await self._write(claim)

    async def open(self, opening: Opening) -> Admission:
        """Fence, consume the approval, reserve and write the intent, all or nothing."""
        return await self._write(partial(calls.open_call, opening=opening))

    async def close(self, closing: Closing) -> Closed:
        """Settle and write the outcome."""
        return await self._write(partial(calls.close_call, closing=closing))

    async def refuse(self, call: Call, state: CallState, event: Entry, outcome: Sealed | None, error: Refused) -> None:
        """Record a call that did not leave."""
        await self._write(partial(calls.refuse_call, call=call, state=state, event=event, outcome=outcome, error=error))

    async def abandon(self, identity: Identity, call_id: str) -> None:
        """Note that the client vanished before the answer was delivered."""
        values = {
            "tenant_id": identity.tenant_id,
            "run_id": identity.run_id,
            "attempt": identity.attempt,
            "call_id": call_id,
        }
        await self._write(lambda batch: calls.run(batch.connection, "abandon", values).rowcount)

    async def look(self, identity: Identity, call_id: str) -> Recorded | None:
        """Return a call as it stands now, without claiming it."""
        return await self._database.glance(
            lambda reader: calls.recorded(reader, identity, call_id, time.time_ns() // 1_000)
        )

    async def unconsumed_effects(self, identity: Identity) -> int:
        """Count recorded side effects of the run that this attempt has not consumed."""
        return await self._count("unconsumed_effects", identity)

    async def in_flight(self, identity: Identity) -> int:
        """Count the calls of this attempt that are open."""
        return await self._count("in_flight", identity)

    async def _count(self, name: str, identity: Identity) -> int:
        values = {"tenant_id": identity.tenant_id, "run_id": identity.run_id, "attempt": identity.attempt}

        def count(reader: sqlite3.Connection) -> int:
            (found,) = calls.run(reader, name, values).fetchone()
            return int(found)

        return await self._database.glance(count)

    async def _write(self, operation: Callable[[Batch], T]) -> T:
        return await self._database.writer.submit(operation)
