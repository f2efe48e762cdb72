"""How reviewing goes: approval and rejection by tool, agent and reviewer, time to decide, who notices bad ones (F7).

A fold over the rows of the queue; nothing is counted anywhere else.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from airside.core.clock import SECOND_US
from airside.core.ports import Database, Row, Transaction
from airside.journal.queries import load

_SQL = load("airside.runs.reviewing", "statistics.sql")

ROWS_MAX: Final = 50_000
DAY_US: Final = 86_400 * SECOND_US


class Item(Struct, frozen=True):
    """One approval, as statistics see it."""

    tool: str
    agent: str
    reviewer: str
    state: str
    edited: bool
    seeded: bool
    waited_us: int


def _item(row: Row) -> Item:
    waited_us = max(0, (row["decided_us"] or row["requested_us"]) - row["requested_us"])  # clocks may be set back
    return Item(
        row["tool"],
        row["agent"],
        row["decided_by"],
        row["state"],
        bool(row["edited"]),
        bool(row["seeded"]),
        waited_us,
    )


class Statistics:
    """Reads how reviewing goes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def summary(self, tenant_id: str, *, days: int) -> dict[str, Any]:
        """Return the figures of the last days; `truncated` if there were more than 50,000 approvals."""

        async def body(tx: Transaction) -> Sequence[Row]:
            since_us = tx.now_us - days * DAY_US
            return await tx.fetch(
                _SQL["items"], tenant_id=tenant_id, since_us=since_us, now_us=tx.now_us, n=ROWS_MAX + 1
            )

        rows = await self._database.read(body)
        return {"days": days, "truncated": len(rows) > ROWS_MAX, **fold(map(_item, rows[:ROWS_MAX]))}


def fold(items: Iterable[Item]) -> dict[str, Any]:
    """Return the figures of some approvals. Proposals known to be bad count for their reviewers alone."""
    everything = list(items)
    real = [item for item in everything if not item.seeded]
    seeded = [item for item in everything if item.seeded and item.state in {"approved", "denied"}]
    return {
        "all": figures(real),
        "by_tool": _grouped(real, lambda item: item.tool),
        "by_agent": _grouped(real, lambda item: item.agent),
        "by_reviewer": _grouped([item for item in real if item.reviewer], lambda item: item.reviewer),
        "seeded": [
            {"reviewer": name, **_catches([item for item in seeded if item.reviewer == name])}
            for name in sorted({item.reviewer for item in seeded})
        ],
    }


def figures(items: Sequence[Item]) -> dict[str, Any]:
    """Return counts, the share that was rejected of what was decided, and how long deciding took (seconds)."""
    decided = [item for item in items if item.reviewer]
    rejected = sum(item.state == "denied" for item in decided)
    waited = sorted(item.waited_us for item in decided)
    return {
        "asked": len(items),
        "pending": sum(item.state == "pending" for item in items),
        "approved": len(decided) - rejected,
        "edited": sum(item.edited for item in decided),
        "denied": rejected,
        "expired": sum(item.state == "expired" and not item.reviewer for item in items),
        "unused": sum(item.state == "expired" for item in decided),
        "rejection_rate": rejected / len(decided) if decided else None,
        "decide_s_p50": _quantile(waited, 0.5),
        "decide_s_p90": _quantile(waited, 0.9),
    }


def _grouped(items: Sequence[Item], key: Callable[[Item], str]) -> list[dict[str, Any]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [{"name": name, **figures(group)} for name, group in sorted(groups.items())]


def _catches(items: Sequence[Item]) -> dict[str, Any]:
    caught = sum(item.state == "denied" or item.edited for item in items)
    return {"shown": len(items), "caught": caught, "catch_rate": caught / len(items)}


def _quantile(ordered: Sequence[int], share: float) -> float | None:
    """Return the nearest-rank quantile in seconds."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / SECOND_US
