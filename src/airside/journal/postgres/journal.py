"""The journal's hot path on Postgres."""

import asyncio
import contextlib
from typing import Any

from airside.core.call import Call, CallState, Effect
from airside.core.errors import AirsideError
from airside.core.ports import Admission, Closed, Closing, Entry, Opening, Recorded, Refused, Sealed, Transaction
from airside.core.run import Identity
from airside.journal import queries
from airside.journal.postgres.database import PostgresDatabase
from airside.journal.postgres.operations import Close, Open, Refuse
from airside.journal.postgres.transaction import bound
from airside.journal.postgres.writer import Writer

_SQL = queries.load(__package__, "hot.sql")


class PostgresJournal:
    """Implements core.ports.Journal: intents, outcomes and refusals in batches, the rest on pooled connections."""

    def __init__(self, database: PostgresDatabase, writer: Writer, executor_id: str) -> None:
        self.executor_id = executor_id
        self._database = database
        self._writer = writer
        self._loose: set[asyncio.Task[Any]] = set()

    async def claimable(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> bool:
        """See core.ports.Journal.claimable."""
        return bool(await self._value("claimable", _asked_for(identity, request_hash, request_key)))

    async def claim(self, identity: Identity, request_hash: bytes, request_key: bytes = b"") -> Recorded | None:
        """See core.ports.Journal.claim."""
        parameters = _asked_for(identity, request_hash, request_key)
        taken = ""

        async def body(tx: Transaction) -> Recorded | None:
            nonlocal taken
            taken = ""
            rows = await tx.fetch(_SQL["lock_claimable"], **parameters)
            if not rows:
                return None
            call_id: str = next((row for row in rows if row["own"]), rows[0])["call_id"]
            await tx.execute(
                _SQL["claim"],
                **_of_run(identity),
                call_id=call_id,
                attempt=identity.attempt,
                request_key=parameters["request_key"],
            )
            found = await tx.one(_SQL["recorded"], **_of_run(identity), call_id=call_id)
            taken = call_id
            return _recorded(found)

        work = asyncio.get_running_loop().create_task(self._database.transact(body))
        try:
            return await asyncio.shield(work)
        except AirsideError:
            if taken:  # perhaps claimed, and nobody was told: the client's retry must rejoin it
                self._loosely(self.abandon(identity, taken))
            raise
        except asyncio.CancelledError:
            self._loosely(self._unclaim(work, identity))
            raise

    async def open(self, opening: Opening) -> Admission:
        """See core.ports.Journal.open. A caller that is cancelled leaves no reservation behind."""
        operation = Open(future=_future(), deadline_s=self._writer.deadline_s(), opening=opening)
        self._writer.submit(operation)
        admission: Admission = await operation.future
        return admission

    async def close(self, closing: Closing) -> Closed:
        """See core.ports.Journal.close. An outcome is written even if the caller is cancelled or told to give up."""
        operation = Close(future=_future(), deadline_s=self._writer.deadline_s(), closing=closing)
        self._writer.submit(operation)
        closed: Closed = await operation.future
        return closed

    async def refuse(self, call: Call, state: CallState, event: Entry, outcome: Sealed | None, error: Refused) -> None:
        """See core.ports.Journal.refuse."""
        operation = Refuse(
            future=_future(),
            deadline_s=self._writer.deadline_s(),
            refused_call=call,
            state=state,
            event=event,
            outcome=outcome,
            error=error,
        )
        self._writer.submit(operation)
        await operation.future

    async def abandon(self, identity: Identity, call_id: str) -> None:
        """See core.ports.Journal.abandon."""
        await self._value("abandon", _of_run(identity) | {"call_id": call_id, "attempt": identity.attempt})

    async def look(self, identity: Identity, call_id: str) -> Recorded | None:
        """See core.ports.Journal.look."""
        sql, values = bound(_SQL["recorded"], _of_run(identity) | {"call_id": call_id})

        async def once(connection: Any) -> Any:
            return await connection.fetchrow(sql, *values)

        return _recorded(await self._database.patiently(once))

    async def unconsumed_effects(self, identity: Identity) -> int:
        """See core.ports.Journal.unconsumed_effects."""
        return int(await self._value("unconsumed_effects", _of_run(identity) | {"attempt": identity.attempt}))

    async def in_flight(self, identity: Identity) -> int:
        """See core.ports.Journal.in_flight."""
        return int(await self._value("in_flight", _of_run(identity) | {"attempt": identity.attempt}))

    async def _value(self, name: str, parameters: dict[str, object]) -> Any:
        sql, values = bound(_SQL[name], parameters)

        async def once(connection: Any) -> Any:
            return await connection.fetchval(sql, *values)

        return await self._database.patiently(once)

    async def _unclaim(self, work: "asyncio.Task[Recorded | None]", identity: Identity) -> None:
        claimed = await work
        if claimed:
            await self.abandon(identity, claimed.call_id)

    def _loosely(self, work: Any) -> None:
        async def run() -> None:
            with contextlib.suppress(AirsideError):
                await work

        task = asyncio.get_running_loop().create_task(run())
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)


def _of_run(identity: Identity) -> dict[str, object]:
    return {"tenant_id": identity.tenant_id, "run_id": identity.run_id}


def _asked_for(identity: Identity, request_hash: bytes, request_key: bytes) -> dict[str, object]:
    return _of_run(identity) | {
        "request_hash": request_hash,
        "attempt": identity.attempt,
        "request_key": request_key or None,
    }


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


def _recorded(row: Any) -> Recorded | None:
    if row is None:
        return None
    known = dict(row)
    known["state"], known["effect"] = CallState(known["state"]), Effect(known["effect"])
    for flag in ("idempotent", "executor_alive", "edited"):
        known[flag] = bool(known[flag])
    return Recorded(**known)
