"""The queue of calls whose outcome is unknown: what people must look into, over all runs."""

from fastapi import APIRouter
from msgspec import structs

from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import StrictRoute
from airside.server.auth import Viewer

router = APIRouter(prefix="/api/v1/held", tags=["runs"], route_class=StrictRoute)


@router.get("")
async def queue(principal: Viewer, plane: PlaneOf, limit: Limit = 50, cursor: Cursor = "") -> Page:
    """List the calls of which nobody knows whether they happened, the longest wait first."""
    found = await plane.services.held.queue(principal.tenant_id, cursor=cursor, limit=limit)
    return Page(items=[structs.asdict(call) for call in found.calls], next_cursor=found.cursor or None)
