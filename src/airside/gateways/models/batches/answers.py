"""The answers of a batch, opened one page at a time, in the order of its questions."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from airside.core.call import CallState
from airside.core.money import NanoUsd, to_decimal
from airside.core.ports import Database, Keyring, Row, SubjectKey, Transaction
from airside.gateways.models.batches.desk import SQL
from airside.pipeline.answers import unpacked


async def answers(database: Database, keyring: Keyring, batch: Row) -> AsyncIterator[bytes]:
    """Yield one line of JSON per item: its call, its state, what it cost, and the answer or the error."""
    after, at = "", 0
    while True:

        async def body(tx: Transaction, after: str = after) -> Sequence[Row]:
            return await tx.fetch(SQL["answers"], tenant_id=batch["tenant_id"], run_id=batch["run_id"], after=after)

        rows = await database.read(body)
        if not rows:
            return
        key = await keyring.subject(batch["tenant_id"], rows[0]["subject"])
        for row in rows:
            yield _line(row, at, key)
            at += 1
        after = rows[-1]["call_id"]


def _line(row: Row, at: int, key: SubjectKey) -> bytes:
    sealed = row["sealed"]
    said, words = unpacked(key.open(bytes(row["outcome"]), bytes(sealed))) if sealed is not None else (b"", "")
    shown = {
        "item": at,
        "call": row["call_id"],
        "state": row["state"],
        "cost_usd": f"{to_decimal(NanoUsd(row['cost_nanousd'])):f}",
        "tokens": row["tokens"],
    }
    if row["state"] == CallState.OK.value:
        shown["answer"] = msgspec.Raw(said or b"null")
    elif row["state"] != CallState.OPEN.value:
        shown["error"] = {"code": row["code"], "message": words or row["message"]}
    return msgspec.json.encode(shown) + b"\n"
