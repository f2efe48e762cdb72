"""Caches: what they hold and save, and clearing them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from airside.gateways.models.caching import office
from airside.gateways.tools.remembering.shelf import Shelf
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import StrictRoute
from airside.server.auth import Operator, Viewer

router = APIRouter(prefix="/api/v1/cache", tags=["cache"], route_class=StrictRoute)

Agent = Annotated[str, Query(max_length=200, description="only of this agent")]
Days = Annotated[int, Query(ge=1, le=3_650, description="how many days, today included (UTC)")]


@router.get("")
async def stats(principal: Viewer, plane: PlaneOf, agent: Agent = "", days: Days = 30) -> dict[str, Any]:
    """Tell what the caches hold, what they saved, and how often answers that were compared differed."""
    return await office.summary(plane.database, principal.tenant_id, days=days, agent=agent)


@router.delete("")
async def clear(
    principal: Operator,
    plane: PlaneOf,
    agent: Agent = "",
    subject: Annotated[str, Query(max_length=300, description="only what came from, or belongs to, this subject")] = "",
    learned: Annotated[bool, Query(description="also what similarity has been found to mean")] = False,
) -> dict[str, Any]:
    """Forget remembered answers."""
    return await office.clear(
        plane.database, principal.tenant_id, agent=agent, subject=subject, learned=learned, by=principal.key_id
    )


@router.get("/tools")
async def tool_results(principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List what is kept of each tool's results, and how often it has served."""
    return {"items": await Shelf(plane.database, plane.keyring).totals(principal.tenant_id)}


@router.delete("/tools")
async def forget_tool_results(
    principal: Operator, plane: PlaneOf, tool: Annotated[str, Query(max_length=64, description="whose results")]
) -> dict[str, Any]:
    """Forget a tool's results, because what it reads has changed; for events that no tool call brings about."""
    shelf = Shelf(plane.database, plane.keyring)
    return {"tool": tool, "entries": await shelf.stale(principal.tenant_id, [tool], by=principal.key_id)}
