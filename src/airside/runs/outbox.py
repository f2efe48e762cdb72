"""An outbox: rows that are due are taken under a lease, so that one process sends each, and tried again ever later.

A table's own statements are `any_due` and `take`; what sending one means, and what became of it, is its owner's.
"""

from collections.abc import Sequence
from typing import Final

from airside.core.clock import SECOND_US
from airside.core.ports import Database, Query, Row, Transaction

BACKOFF_FIRST_S: Final = 2.0
BACKOFF_FACTOR: Final = 3.0
BACKOFF_S_MAX: Final = 3_600.0


def backoff_s(tries: int) -> float:
    """Return how long to wait after the n-th failed try: 2, 6, 18, … seconds, at most an hour."""
    return float(min(BACKOFF_S_MAX, BACKOFF_FIRST_S * BACKOFF_FACTOR ** min(tries - 1, 20)))


def again_us(tx: Transaction, tries: int) -> int:
    """Return the instant (µs) of the next try after the n-th has failed."""
    return tx.now_us + int(backoff_s(tries) * SECOND_US)


async def take_due(database: Database, any_due: Query, take: Query, *, at_most: int, lease_s: float) -> Sequence[Row]:
    """Return rows that are due, put off by the lease so that no other process takes them meanwhile."""

    async def looked(tx: Transaction) -> bool:
        return await tx.one(any_due, now_us=tx.now_us) is not None

    async def taken(tx: Transaction) -> Sequence[Row]:
        until_us = tx.now_us + int(lease_s * SECOND_US)
        return await tx.fetch(take, now_us=tx.now_us, until_us=until_us, n=at_most)

    return await database.transact(taken) if await database.read(looked) else ()
