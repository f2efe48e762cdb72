"""What the management API reads beside the run services: budget balances and the calls of a run, without content."""

import json
from collections.abc import Sequence
from typing import Any

from airside.core.money import NanoUsd, to_decimal
from airside.core.ports import Database, Row, Transaction
from airside.journal.queries import load
from airside.runs.allowances import Allowances
from airside.runs.cursor import BEGINNING, cursor_of, place_of
from airside.runs.record import RunRecord

_SQL = load("airside.server", "readings.sql")


class Readings:
    """Budgets and calls as plain JSON values."""

    def __init__(self, database: Database, allowances: Allowances) -> None:
        self._database = database
        self._allowances = allowances

    async def path(self, run: RunRecord) -> list[dict[str, Any]]:
        """Return the nodes that a run is charged to: those of now, or of its beginning if it has ended."""
        names: list[str] = json.loads(run.budget_path)
        if not run.terminal:
            names = await self._allowances.path_now(run.tenant_id, names)

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["nodes"], tenant_id=run.tenant_id, nodes=json.dumps(names))

        found = {row["node"]: node(row) for row in await self._database.look_up(body)}
        return [found[name] for name in names if name in found]

    async def above_runs(self, tenant_id: str, after: str, rows_max: int) -> tuple[list[dict[str, Any]], str]:
        """Return a page of the tenant's nodes above its runs, and the cursor of the next page or an empty text."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["nodes_above_runs"], tenant_id=tenant_id, after=after, rows_max=rows_max + 1)

        rows = await self._database.read(body)
        items = [node(row) for row in rows[:rows_max]]
        return items, items[-1]["node"] if len(rows) > rows_max else ""

    async def calls(self, run: RunRecord, cursor: str, rows_max: int) -> tuple[list[dict[str, Any]], str]:
        """Return a page of a run's calls in their order, and the cursor of the next page or an empty text."""
        after_us, after_id = place_of(cursor, BEGINNING)

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(
                _SQL["calls"],
                tenant_id=run.tenant_id,
                run_id=run.run_id,
                after_us=after_us,
                after_id=after_id,
                rows_max=rows_max + 1,
            )

        rows = await self._database.read(body)
        items = [_call(row) for row in rows[:rows_max]]
        last = rows[rows_max - 1] if len(rows) > rows_max else None
        return items, cursor_of(last["opened_us"], last["call_id"]) if last else ""

    async def findings(self, run: RunRecord, cursor: str, rows_max: int) -> tuple[list[dict[str, Any]], str]:
        """Return what guards found in a page of a run's calls, and the cursor of the next page or an empty text."""
        calls, after = await self.calls(run, cursor, rows_max)
        ids = json.dumps([call["id"] for call in calls])

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["entries_of_calls"], tenant_id=run.tenant_id, calls=ids)

        noted: dict[str, list[Any]] = {}
        for row in await self._database.read(body):
            kept = noted.setdefault(row["call_id"], [])
            notes = json.loads(bytes(row["body"])).get("notes", {})
            kept += [one for one in notes.get("guards", ()) if one not in kept]  # each try of a call notes them again
        found = [
            {"call_id": call["id"], "call": call["name"], "code": call["code"]} | one
            for call in calls
            for one in noted.get(call["id"], ())
        ]
        return found, after


def node(row: Row) -> dict[str, Any]:
    """Return a budget node as plain JSON; dollars are text, so that they stay exact."""
    return {
        "node": row["node"],
        "usd": _amounts(row, "nanousd", _usd),
        "tokens": _amounts(row, "tokens", int),
        "calls": _amounts(row, "calls", int),
        "turn_tool_calls": {"limit": row["limit_turn_tool_calls"], "made": row["turn_tool_calls"]},
    }


def _amounts(row: Row, unit: str, show: Any) -> dict[str, Any]:
    limit = row[f"limit_{unit}"]
    return {
        "limit": None if limit is None else show(limit),
        "spent": show(row[f"spent_{unit}"]),
        "reserved": show(row[f"reserved_{unit}"]),
    }


def _usd(nano: int) -> str:
    return f"{to_decimal(NanoUsd(nano)):f}"


def _call(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in _CALL_FIELDS}
    return shown | {
        "id": row["call_id"],
        "try": row["try_number"],
        "cost_usd": _usd(row["cost_nanousd"]),
        "reserved_usd": _usd(row["reserved_nanousd"]),
        "edited": bool(row["edited"]),
    }


_CALL_FIELDS = (
    "kind",
    "name",
    "effect",
    "state",
    "occurrence",
    "attempt",
    "tokens",
    "upstream",
    "code",
    "message",
    "approval_id",
    "opened_us",
    "closed_us",
)
