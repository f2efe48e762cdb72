"""Probes, the only routes without a key: they tell that the process lives and can work, and nothing else."""

import asyncio

from fastapi import APIRouter, Request, Response

from airside.core.errors import AirsideError, Code
from airside.server.api.strict import StrictRoute

router = APIRouter(tags=["probes"], route_class=StrictRoute)
READY_WITHIN_S = 2.0


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Say whether work can be taken: the database can be written, and the tool host is up where it is needed."""
    response.headers["cache-control"] = "no-store"
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await request.app.state.plane.check_ready()
    except TimeoutError:
        raise AirsideError(
            Code.JOURNAL_UNAVAILABLE, f"the database did not take a write within {READY_WITHIN_S:g} s"
        ) from None
    return {"status": "ready"}
