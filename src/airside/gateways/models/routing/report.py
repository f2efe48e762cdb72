"""What routing has come to: money against always the strongest model, and how good the answers were, with bounds."""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import msgspec
from msgspec import Struct

from airside.core.call import Usage
from airside.core.errors import AirsideError
from airside.core.ports import Database, Row, Transaction
from airside.gateways.models.pricing import Price
from airside.gateways.models.routing.learning import Finder
from airside.gateways.models.routing.outcomes import THOUSAND
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.gateways.models.routing", "routing.sql")
PAGE = 2_000
ENTRIES_MAX = 400_000
Z = 1.96  # 95 %
_OF_ROUTING = frozenset({"trial", "trial again", "judge"})
"""Purposes of asides whose cost is part of what routing costs."""


class Spread(Struct, frozen=True):
    """A mean of scores between 0 and 1, and the bounds within which the true one lies at 95 %."""

    mean: float
    low: float
    high: float
    n: int


def spread(total: float, squares: float, n: int) -> Spread | None:
    """Return the mean of `n` scores from their sum and the sum of their squares; None without any.

    The bounds are Wilson's (1927), for as many yes-or-no scores as would have the variance of these.
    """
    if n <= 0:
        return None
    mean = min(1.0, max(0.0, total / n))
    binary, variance = mean * (1.0 - mean), max(0.0, squares / n - mean * mean)
    worth = n * binary / variance if 0.0 < variance < binary else float(n)
    centre = mean + Z * Z / (2 * worth)
    half = Z * sqrt(binary / worth + Z * Z / (4 * worth * worth))
    scale = 1 + Z * Z / worth
    low, high = max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
    return Spread(round(mean, 4), round(low, 4), round(high, 4), n)


class _Told(Struct):
    """What the journal tells of one call."""

    notes: Mapping[str, Any] = {}
    usage: Usage = Usage()
    nanousd: int = 0
    answered: bool = False


class Bill(Struct):
    """Routed calls and their money (nano-dollars). `strongest_nanousd` is what the strongest would have cost."""

    calls: int = 0
    spent_nanousd: int = 0
    strongest_nanousd: int = 0
    tried: int = 0
    escalated: int = 0
    by_model: dict[str, int] = {}
    by_source: dict[str, int] = {}
    complete: bool = True

    @property
    def saved(self) -> float | None:
        """The share saved against always the strongest, if that is known."""
        return round(1.0 - self.spent_nanousd / self.strongest_nanousd, 4) if self.strongest_nanousd else None


async def bill(database: Database, tenant_id: str, strongest: Price | None, since_us: int) -> Bill:
    """Return what routed calls cost, and what the strongest model would have for the same tokens.

    The latter is an estimate: it would have said something else. Trials and judges count as spent. At most ENTRIES_MAX
    entries are read, the oldest first; `complete` says whether that was all.
    """
    calls: dict[str, _Told] = {}
    after, seen = 0, 0
    complete = False
    while seen < ENTRIES_MAX:
        rows = await database.read(_page(tenant_id, after, since_us))
        for row in rows:
            _hear(calls.setdefault(row["call_id"], _Told()), row)
        if len(rows) < PAGE:
            complete = True
            break
        seen, after = seen + len(rows), int(rows[-1]["entry_id"])
    found = _summed(calls, strongest)
    found.complete = complete
    return found


def _page(tenant_id: str, after: int, since_us: int) -> Any:
    async def body(tx: Transaction) -> Iterable[Row]:
        return await tx.fetch(_SQL["told"], tenant_id=tenant_id, after=after, since_us=since_us, count=PAGE)

    return body


def _hear(told: _Told, row: Row) -> None:
    body = msgspec.json.decode(bytes(row["body"]))
    if row["type"] == events.CALL_INTENT:
        told.notes = body.get("notes", {})
        return
    told.nanousd += body["cost_nanousd"] if body["metered"] else 0
    if body["state"] == "ok":
        told.answered = True
        told.usage = msgspec.convert(body["usage"], Usage)


def _summed(calls: Mapping[str, _Told], strongest: Price | None) -> Bill:
    found = Bill(by_model={}, by_source={})
    tried: dict[str, Usage] = {}
    for told in calls.values():
        aside = told.notes.get("aside")
        if aside and aside["for"] in _OF_ROUTING:
            found.spent_nanousd += told.nanousd
            if aside["for"] == "trial":
                tried[aside["of"]] = told.usage
    for call_id, told in calls.items():
        route = told.notes.get("route")
        if not route or not told.answered or "candidate" in route or "aside" in told.notes:
            continue
        found.calls += 1
        found.spent_nanousd += told.nanousd
        cascade = told.notes.get("cascade")
        found.tried += cascade is not None
        found.escalated += cascade is not None and not cascade["accepted"]
        model = cascade["escalated_to"] if cascade and not cascade["accepted"] else route["model"]
        found.by_model[model] = found.by_model.get(model, 0) + 1
        source = route["source"]
        found.by_source[source] = found.by_source.get(source, 0) + 1
        usage = told.usage if told.usage.total else tried.get(call_id, Usage())
        found.strongest_nanousd += strongest.cost(usage) if strongest else 0
    return found


async def quality(database: Database, tenant_id: str, since_us: int) -> dict[str, dict[str, Spread | None]]:
    """Return how good each model's answers were found, by who found it."""
    rows = await database.read(lambda tx: tx.fetch(_SQL["quality"], tenant_id=tenant_id, since_us=since_us))
    found: dict[str, dict[str, Spread | None]] = {}
    for row in rows:
        total, squares = int(row["total"]) / THOUSAND, int(row["squares"]) / THOUSAND**2
        found.setdefault(row["model"], {})[row["source"]] = spread(total, squares, int(row["verdicts"]))
    return found


async def shadows(database: Database, tenant_id: str, since_us: int) -> list[dict[str, Any]]:
    """Return what shadow calls came to, by live model and candidate: agreement with bounds, and the cost of each."""
    rows = await database.read(lambda tx: tx.fetch(_SQL["shadows"], tenant_id=tenant_id, since_us=since_us))
    return [
        {
            "live": row["live"],
            "candidate": row["candidate"],
            "agreement": spread(int(row["agreement"]) / THOUSAND, int(row["squares"]) / THOUSAND**2, int(row["calls"])),
            "live_nanousd": int(row["live_nanousd"]),
            "candidate_nanousd": int(row["candidate_nanousd"]),
        }
        for row in rows
    ]


def price_of(routes: Finder, model: str) -> Price | None:
    """Return the price of a model, or None if it has none here."""
    try:
        return routes.find(model).price if model else None
    except AirsideError:
        return None
