"""Tools: which there are, where they come from, what their manifests say, and what was left out."""

from typing import Any

from fastapi import APIRouter

from airside.core.errors import AirsideError, Code
from airside.core.money import to_decimal
from airside.core.tool import Tool
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.plane import Plane
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import StrictRoute
from airside.server.auth import Viewer

router = APIRouter(prefix="/api/v1/tools", tags=["tools"], route_class=StrictRoute)


@router.get("")
async def listed(_: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the tools of this installation in the order of their names, and those that cannot exist, with why."""
    catalogue = _catalogue(plane)
    return {
        "items": [_brief(tool) for tool in sorted(catalogue.everything(), key=lambda tool: tool.name)],
        "left_out": [{"source": source, "name": out.name, "why": out.why} for source, out in catalogue.left_out()],
    }


@router.get("/{name}")
async def shown(_: Viewer, plane: PlaneOf, name: str) -> dict[str, Any]:
    """Return a tool with its whole manifest and the schema of its arguments."""
    tool = _catalogue(plane).lookup(name)
    if tool is None:
        raise AirsideError(Code.NOT_FOUND, f"there is no tool {name[:64]!r}")
    return {
        **_brief(tool),
        "idempotent": tool.idempotent,
        "amount_argument": tool.amount_argument,
        "amount_unit": tool.amount_unit,
        "timeout_s": tool.timeout_s,
        "roles": {path: role.value for path, role in tool.roles.items()},
        "results": {path: {"trusted": label.trusted, "secret": label.secret} for path, label in tool.results.items()},
        "hosts": list(tool.hosts),
        "cache_ttl_s": tool.cache_ttl_s,
        "cache_shared": tool.cache_shared,
        "invalidates": list(tool.invalidates),
        "cost_usd": str(to_decimal(tool.cost)),
        "schema": dict(tool.schema),
        "returns": dict(tool.returns),
    }


def _catalogue(plane: Plane) -> ToolCatalogue:
    if plane.tools is None:
        raise AirsideError(
            Code.NOT_FOUND, "this process has no gateway, and so no tools", advice="Ask one that serves the gateways."
        )
    return plane.tools


def _brief(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "source": tool.source,
        "effect": tool.effect.value,
        "reversible": tool.reversible,
        "declared": tool.declared,
        "local": tool.local,
        "suspect": list(tool.suspect),
    }
