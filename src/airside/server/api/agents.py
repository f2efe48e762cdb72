"""Agents: what is configured, so that a client knows what it can submit to."""

from typing import Any

from fastapi import APIRouter

from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import StrictRoute
from airside.server.auth import Viewer

router = APIRouter(prefix="/api/v1/agents", tags=["agents"], route_class=StrictRoute)


@router.get("")
async def listed(_: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the configured agents with the release that new runs get."""
    return {
        "items": [
            {
                "name": name,
                "adapter": agent.adapter,
                "model": agent.model,
                "tools": agent.tools,
                "isolation": agent.isolation or plane.settings.runs.isolation,
                "runs_max": agent.runs_max,
                "release": plane.services.current[name].fingerprint,
            }
            for name, agent in sorted(plane.settings.agents.items())
        ]
    }
