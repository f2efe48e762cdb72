"""What is known of how well models answered: verdicts of people, evaluations, cascades and shadow calls."""

from math import isfinite

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.core.ports import Database, Row, Transaction
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.gateways.models.routing", "routing.sql")
THOUSAND = 1_000
CALLS_OF_RUN_MAX = 10_000


class Shadowed(Struct, frozen=True):
    """A live answer beside a candidate's: how alike they are (0 to 1), and what each cost."""

    tenant_id: str
    call_id: str
    live: str
    candidate: str
    agreement: float
    live_nanousd: NanoUsd
    candidate_nanousd: NanoUsd


class Outcomes:
    """Writes verdicts. The same source that speaks again of a model's answer to a call replaces what it said."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say(
        self, tenant_id: str, run_id: str, call_id: str, model: str, score: float, *, source: str, by: str = ""
    ) -> None:
        """Note that a model's answer to a call was good (1) or not (0), or between; ValueError beyond that."""
        await self._database.transact(lambda tx: _write(tx, (tenant_id, run_id, call_id), model, score, source, by))

    async def of_call(self, tenant_id: str, run_id: str, call_id: str, score: float, *, source: str, by: str) -> int:
        """Note a verdict on the answer that a call was given; return 1.

        Raises `not_found` unless it is a model call of that run and tenant, `conflict` unless it was answered.
        """

        async def body(tx: Transaction) -> int:
            row = await tx.one(_SQL["call"], tenant_id=tenant_id, run_id=run_id, call_id=call_id)
            if row is None or row["kind"] != "model":
                raise AirsideError(Code.NOT_FOUND, f"run {run_id[:100]} has no model call {call_id[:100]}")
            if row["state"] != "ok":
                raise AirsideError(Code.CONFLICT, f"call {call_id[:100]} was not answered: it is {row['state']}")
            await _write(tx, (tenant_id, run_id, call_id), await _answered_by(tx, tenant_id, row), score, source, by)
            return 1

        return await self._database.transact(body)

    async def of_run(self, tenant_id: str, run_id: str, score: float, *, source: str, by: str) -> int:
        """Note one verdict on every model answer of a run; return how many there are. Raises `not_found` for none."""

        async def body(tx: Transaction) -> int:
            rows = await tx.fetch(_SQL["calls_of_run"], tenant_id=tenant_id, run_id=run_id, count=CALLS_OF_RUN_MAX)
            for row in rows:
                model = await _answered_by(tx, tenant_id, row)
                await _write(tx, (tenant_id, run_id, row["call_id"]), model, score, source, by)
            return len(rows)

        count = await self._database.transact(body)
        if not count:
            raise AirsideError(Code.NOT_FOUND, f"there is no run {run_id[:100]} with answers of a model")
        return count

    async def shadowed(self, one: Shadowed) -> None:
        """Write what a shadow call came to; a second time for the same call changes nothing."""
        values = {**msgspec.structs.asdict(one), "agreement": _thousandths(one.agreement)}
        await self._database.transact(lambda tx: tx.execute(_SQL["add_shadow"], now_us=tx.now_us, **values))

    async def open_budget(self, tenant_id: str, node: str, limit: NanoUsd) -> None:
        """Make a budget node of airside's own unless it is there."""
        await self._database.transact(
            lambda tx: tx.execute(_SQL["add_budget"], tenant_id=tenant_id, node=node, limit_nanousd=limit)
        )


async def _write(tx: Transaction, key: tuple[str, str, str], model: str, score: float, source: str, by: str) -> None:
    tenant_id, run_id, call_id = key
    thousandths = _thousandths(score)
    changed = {"model": model, "source": source, "score": thousandths, "by": by}
    await tx.execute(
        _SQL["add_outcome"],
        tenant_id=tenant_id,
        call_id=call_id,
        model=model,
        source=source,
        run_id=run_id,
        score=thousandths,
        said_by=by,
        now_us=tx.now_us,
    )
    await tx.append(events.entry(events.ROUTING_OUTCOME, changed, tenant_id=tenant_id, run_id=run_id, call_id=call_id))


async def _answered_by(tx: Transaction, tenant_id: str, row: Row) -> str:
    """Return the model that answered a call: the one that its last intent was aimed at."""
    intent = await tx.one(
        _SQL["intent"],
        tenant_id=tenant_id,
        run_id=row["run_id"],
        call_id=row["call_id"],
        type=events.CALL_INTENT,
    )
    return str(msgspec.json.decode(bytes(intent["body"]))["name"]) if intent else str(row["name"])


def _thousandths(score: float) -> int:
    if not (isfinite(score) and 0.0 <= score <= 1.0):
        raise ValueError("a score is a number from 0 to 1")
    return round(score * THOUSAND)
