"""Budgets: what may be spent, is spent and is reserved; limits and credits set by people; what runs have cost."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from msgspec import structs
from pydantic import Field

from airside.core.budget import Limits
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd, to_decimal, usd
from airside.runs.budgets import Plan
from airside.runs.costs import By, Costs, Window
from airside.runs.funding import CREDIT_KEY_CHARACTERS_MAX, NOTE_CHARACTERS_MAX, Credit
from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf, ReadingsOf, RunId
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Admin, Viewer

router = APIRouter(prefix="/api/v1", tags=["budgets"], route_class=StrictRoute)

USD_MAX = 1_000_000
COUNT_MAX = 1_000_000_000
INSTANT_MAX = 2**62
NodeCursor = Annotated[str, Query(max_length=400, description="`next_cursor` of the page before")]
Name = Annotated[str, Query(max_length=300, description="`tenant`, `unit:NAME`, `workflow:NAME` or `customer:NAME`")]
Instant = Annotated[int, Query(ge=0, le=INSTANT_MAX, description="microseconds since 1970, UTC")]
Dollars = Annotated[str, Field(max_length=40, description="dollars as text, such as `12.50`")]


class NewLimits(Body):
    """What a budget may spend instead of what the settings say; null is no limit."""

    name: str = Field(min_length=1, max_length=300, description="tenant, unit:NAME, workflow:NAME or customer:NAME")
    usd: Dollars | None = None
    tokens: int | None = Field(default=None, ge=0, le=COUNT_MAX)
    calls: int | None = Field(default=None, ge=0, le=COUNT_MAX)
    period: Literal["none", "hour", "day", "month"] = "none"
    carry_over: bool = False


class NewCredit(Body):
    """Dollars to add to what a budget may spend in its present period."""

    name: str = Field(min_length=1, max_length=300)
    usd: Dollars
    note: str = Field(default="", max_length=NOTE_CHARACTERS_MAX)


@router.get("/budgets")
async def page(principal: Viewer, readings: ReadingsOf, limit: Limit = 50, cursor: NodeCursor = "") -> Page:
    """List the tenant's nodes above its runs: tenant, business units, workflows and customers, each with its period."""
    items, after = await readings.above_runs(principal.tenant_id, cursor, limit)
    return Page(items=items, next_cursor=after or None)


@router.get("/runs/{run_id}/budget")
async def of_run(run_id: RunId, principal: Viewer, plane: PlaneOf, readings: ReadingsOf) -> dict[str, Any]:
    """Show the path of nodes that a call of the run is charged to now, from the tenant down to the run."""
    run = await plane.services.runs.get(principal.tenant_id, run_id)
    return {"id": run_id, "path": await readings.path(run)}


@router.get("/budgets/limits")
async def limits(principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the limits that people have set instead of those of the settings."""
    return {"items": await plane.services.funding.limits(principal.tenant_id)}


@router.put("/budgets/limits")
async def set_limits(new: NewLimits, principal: Admin, plane: PlaneOf) -> dict[str, Any]:
    """Set what a budget may spend, from the next call on."""
    allowed = Limits(None if new.usd is None else dollars(new.usd), new.tokens, new.calls)
    plan = Plan(allowed, new.period, new.carry_over)
    return await plane.services.funding.set_limits(principal.tenant_id, new.name, plan, principal.key_id)


@router.delete("/budgets/limits")
async def clear_limits(principal: Admin, plane: PlaneOf, name: Name) -> dict[str, Any]:
    """Go back to what the settings say."""
    return await plane.services.funding.clear_limits(principal.tenant_id, name, principal.key_id)


@router.get("/budgets/credits")
async def credits_(principal: Viewer, plane: PlaneOf, name: Name, limit: Limit = 50, cursor: Cursor = "") -> Page:
    """List what was added to a budget beside its limit, the latest first."""
    found, after = await plane.services.funding.credits(principal.tenant_id, name, cursor=cursor, limit=limit)
    return Page(items=[_credit(credit) for credit in found], next_cursor=after or None)


@router.post("/budgets/credits", status_code=201)
async def credit(
    new: NewCredit,
    principal: Admin,
    plane: PlaneOf,
    idempotency_key: Annotated[str, Header(max_length=CREDIT_KEY_CHARACTERS_MAX, description="gives once")] = "",
) -> dict[str, Any]:
    """Add dollars to what a budget may spend in its present period, at once."""
    given = await plane.services.funding.credit(
        principal.tenant_id, new.name, dollars(new.usd), principal.key_id, note=new.note, key=idempotency_key
    )
    return _credit(given)


@router.get("/costs")
async def costs(
    principal: Viewer,
    plane: PlaneOf,
    by: By = By.TENANT,
    since_us: Instant = 0,
    until_us: Instant = INSTANT_MAX,
    limit: Limit = 50,
    cursor: NodeCursor = "",
) -> Page:
    """Tell what runs submitted in a window have cost, the dearest first, by whatever tells them apart."""
    window = Window(since_us, until_us)
    items, after = await Costs(plane.database).page(principal.tenant_id, by, window, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=after or None)


@router.get("/costs/tokens")
async def tokens(
    principal: Viewer,
    plane: PlaneOf,
    agent: Annotated[str, Query(min_length=1, max_length=100)],
    since_us: Instant = 0,
) -> dict[str, Any]:
    """Tell where the tokens of an agent's latest runs went, and what would save some. Sizes only, no content."""
    return await plane.services.token_reports.of_agent(principal.tenant_id, agent, since_us)


def dollars(text: str) -> NanoUsd:
    """Return an amount that a person gave; raises `invalid_request` for what is none, or is beyond USD_MAX."""
    try:
        amount = Decimal(text)
        if amount.is_finite() and 0 <= amount <= USD_MAX:
            return usd(amount)
    except InvalidOperation:
        pass
    raise AirsideError(Code.INVALID_REQUEST, f"usd must be an amount from 0 to {USD_MAX} as text, such as 12.50")


def _credit(given: Credit) -> dict[str, Any]:
    shown = structs.asdict(given)
    return {"id": shown.pop("credit_id"), "usd": f"{to_decimal(shown.pop('nanousd')):f}", **shown}
