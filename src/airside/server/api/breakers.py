"""Breakers: what is switched off because it fails, and switching it off or on by hand."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from airside.core.errors import AirsideError, Code
from airside.core.run import Principal
from airside.plane import Plane
from airside.resilience.breakers import NAME_CHARACTERS_MAX, TENANTS
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Operator, Viewer

router = APIRouter(prefix="/api/v1/breakers", tags=["breakers"], route_class=StrictRoute)


class Switching(Body):
    """What to switch, and how."""

    key: str = Field(max_length=NAME_CHARACTERS_MAX, description="provider:NAME, model:PROVIDER/NAME or tool:NAME")
    state: Literal["open", "closed"] = Field(description="open: off until it is closed again; closed: on")


@router.get("")
async def listed(principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the breakers that have ever opened: the tenant's tools, and the providers and models that all share."""
    return {"items": await plane.resilience.breakers.known(principal.tenant_id)}


@router.post("")
async def put(new: Switching, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Hold a breaker open, or close it and forget its failures."""
    _check_reach(new.key, principal, plane)
    off = new.state == "open"
    await plane.resilience.breakers.force(principal.tenant_id, new.key, off=off, by=principal.key_id)
    return {"key": new.key, "state": new.state}


def _check_reach(key: str, principal: Principal, plane: Plane) -> None:
    """Let only keys of the installation's own tenant switch what all tenants share."""
    if not key.startswith(TENANTS) and principal.tenant_id != plane.settings.tenant:
        raise AirsideError(
            Code.FORBIDDEN,
            "providers and models are shared with other tenants",
            advice="Switch tools and the like only, or use a key of the tenant that the setting `tenant` names.",
        )
