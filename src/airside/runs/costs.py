"""What runs cost and how many tokens they take, by tenant, label, agent, model or tool (requirements C8, C10, D10).

Sums are of what was settled, exactly; a run counts in full in the window in which it was submitted.
"""

from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.money import NANO_PER_USD, NanoUsd, to_decimal
from airside.core.ports import Database, Query, Row, Transaction
from airside.journal.queries import load
from airside.runs.cursor import PAGE_MAX

_SQL = load("airside.runs", "costs.sql")

COST_MAX = 2**63 - 1
COST_DIGITS_MAX = 19
ITEM_CHARACTERS_MAX = 300


class By(StrEnum):
    """What tells costs apart."""

    TENANT = "tenant"
    BUSINESS_UNIT = "business_unit"
    WORKFLOW = "workflow"
    CUSTOMER = "customer"
    USER = "user"
    AGENT = "agent"
    RUN = "run"
    MODEL = "model"
    TOOL = "tool"


class Window(Struct, frozen=True):
    """Runs submitted from `since_us` on and before `until_us`."""

    since_us: int = 0
    until_us: int = 2**62


_COLUMNS = {By.TENANT: "r.tenant_id", By.AGENT: "r.agent", By.RUN: "r.run_id", By.MODEL: "c.name", By.TOOL: "c.name"}
_ONLY = {By.MODEL: "AND c.kind = 'model'", By.TOOL: "AND c.kind = 'tool'"}


class Costs:
    """Reads costs of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, by: By, window: Window, *, cursor: str = "", limit: int = 50
    ) -> tuple[list[dict[str, Any]], str]:
        """Return a page of costs, the dearest first, and the cursor of the next page or an empty text.

        Runs without the label stand under an empty name. Of models and tools only their own calls count; the mean and
        the 95th percentile are then over the runs that used them.
        """
        before, after = _place(cursor)
        size = max(1, min(limit, PAGE_MAX))

        async def body(tx: Transaction) -> list[Row]:
            found = await tx.fetch(
                _query(by),
                tenant_id=tenant_id,
                since_us=window.since_us,
                until_us=window.until_us,
                before=before,
                after=after,
                n=size + 1,
            )
            return list(found)

        rows = await self._database.read(body)
        last = rows[size - 1] if len(rows) > size else None
        return [_shown(row) for row in rows[:size]], f"{int(last['nanousd'])}.{last['item']}" if last else ""


@cache
def _query(by: By) -> Query:
    """Return the statement for both databases."""
    text, only = _SQL["costs"].sql, _ONLY.get(by, "")
    if by in _COLUMNS:
        return Query(f"costs by {by}", text.format(item=_COLUMNS[by], only=only))
    lite = text.format(item=f"coalesce(r.labels ->> '{by}', '')", only=only)
    postgres = text.format(item=f"coalesce(r.labels::jsonb ->> '{by}', '')", only=only)
    return Query(f"costs by {by}", lite, MappingProxyType({"postgres": postgres}))


def _shown(row: Row) -> dict[str, Any]:
    """Return a row as plain JSON; dollars are text, so that they stay exact."""
    runs = int(row["runs"])
    total = int(row["whole"]) * NANO_PER_USD + int(row["nano"])
    return {
        "item": row["item"],
        "runs": runs,
        "calls": int(row["calls"]),
        "cost_usd": _usd(total),
        "run_mean_usd": _usd(round(total / runs)),
        "run_p95_usd": _usd(int(row["nanousd_p95"])),
        "tokens": int(row["tokens"]),
        "run_mean_tokens": round(int(row["tokens"]) / runs),
        "run_p95_tokens": int(row["tokens_p95"]),
    }


def _usd(nano: int) -> str:
    return f"{to_decimal(NanoUsd(nano)):f}"


def _place(cursor: str) -> tuple[int, str]:
    if not cursor:
        return COST_MAX, ""
    cost, dot, item = cursor.partition(".")
    if not (cost.isdecimal() and len(cost) <= COST_DIGITS_MAX and dot and len(item) <= ITEM_CHARACTERS_MAX):
        raise AirsideError(Code.INVALID_REQUEST, "this cursor was not made by airside; start without one")
    return min(int(cost), COST_MAX), item
