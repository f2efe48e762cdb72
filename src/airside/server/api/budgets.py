"""Budgets: what the nodes of a run, or all nodes of the tenant, may spend, have spent and have reserved."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from airside.server.api.pages import Limit, Page
from airside.server.api.plane_of import PlaneOf, ReadingsOf, RunId
from airside.server.api.strict import StrictRoute
from airside.server.auth import Viewer

router = APIRouter(prefix="/api/v1", tags=["budgets"], route_class=StrictRoute)
NodeCursor = Annotated[str, Query(max_length=400, description="`next_cursor` of the page before")]


@router.get("/budgets")
async def page(principal: Viewer, readings: ReadingsOf, limit: Limit = 50, cursor: NodeCursor = "") -> Page:
    """List the tenant's nodes above its runs: tenant, business units, workflows, each with its period."""
    items, after = await readings.above_runs(principal.tenant_id, cursor, limit)
    return Page(items=items, next_cursor=after or None)


@router.get("/runs/{run_id}/budget")
async def of_run(run_id: RunId, principal: Viewer, plane: PlaneOf, readings: ReadingsOf) -> dict[str, Any]:
    """Show the path of nodes that a run is charged to, from the tenant down to the run."""
    run = await plane.services.runs.get(principal.tenant_id, run_id)
    return {"id": run_id, "path": await readings.path(run)}
