"""Kills: stop a run, an agent, a tool, the tenant or everything, at once."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from airside.core.errors import AirsideError, Code
from airside.core.run import Principal
from airside.plane import Plane
from airside.runs.kills import NAME_CHARACTERS_MAX, REASON_CHARACTERS_MAX, Scope
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Admin, Operator, Viewer

router = APIRouter(prefix="/api/v1/kills", tags=["kills"], route_class=StrictRoute)


class NewKill(Body):
    """What to stop."""

    scope: Scope = Field(strict=False)
    name: str = Field(default="", max_length=NAME_CHARACTERS_MAX, description="of the run, agent or tool; else empty")
    reason: str = Field(default="", max_length=REASON_CHARACTERS_MAX)


@router.post("", status_code=201)
async def put(new: NewKill, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Stop it: no call starts a second later, and what executes ends within five."""
    _check_reach(new.scope, principal, plane)
    ended = await plane.services.kills.set(principal.tenant_id, new.scope, new.name, new.reason, principal.key_id)
    return {"scope": new.scope.value, "name": new.name, "runs_ended": ended}


@router.get("")
async def listed(principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the kills in force."""
    return {"items": await plane.services.kills.list(principal.tenant_id)}


@router.delete("")
async def lift(
    principal: Admin,
    plane: PlaneOf,
    scope: Scope,
    name: Annotated[str, Query(max_length=NAME_CHARACTERS_MAX)] = "",
) -> dict[str, Any]:
    """Lift a kill; runs that it ended stay ended."""
    _check_reach(scope, principal, plane)
    await plane.services.kills.lift(principal.tenant_id, scope, name, principal.key_id)
    return {"scope": scope.value, "name": name, "lifted": True}


def _check_reach(scope: Scope, principal: Principal, plane: Plane) -> None:
    """Let only keys of the installation's own tenant stop, or start again, what other tenants run."""
    if scope is Scope.ALL and principal.tenant_id != plane.settings.tenant:
        raise AirsideError(
            Code.FORBIDDEN,
            "a kill of everything would reach other tenants",
            advice="Kill the scope `tenant`, or use a key of the tenant that the setting `tenant` names.",
        )
