"""A run's transitions as server-sent events: resumable, with heartbeats, ending when the run has ended."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from airside.core.errors import AirsideError, Code
from airside.runs.store import Event
from airside.server.api.plane_of import PlaneOf, RunId
from airside.server.api.strict import StrictRoute
from airside.server.auth import Viewer

router = APIRouter(prefix="/api/v1/runs", tags=["runs"], route_class=StrictRoute)

HEARTBEAT_S = 15.0
LastEventId = Annotated[str, Header(max_length=20, description="id of the last event seen; later ones follow")]


@router.get("/{run_id}/events", response_class=StreamingResponse)
async def events(
    run_id: RunId, principal: Viewer, plane: PlaneOf, last_event_id: LastEventId = ""
) -> StreamingResponse:
    """Follow a run. Each event is a transition; its id is the run's `version`; the stream ends with the run."""
    if last_event_id and not last_event_id.isdecimal():
        raise AirsideError(Code.INVALID_REQUEST, "Last-Event-ID must be the id of an event of this run")
    await plane.services.runs.get(principal.tenant_id, run_id)
    source = plane.services.runs.follow(principal.tenant_id, run_id, int(last_event_id or 0))
    return StreamingResponse(
        frames(source, HEARTBEAT_S),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def frames(source: AsyncGenerator[Event], heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    """Yield events as SSE frames, and a comment whenever nothing has happened for `heartbeat_s` seconds."""
    upcoming: asyncio.Future[Event] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(source))
            done, _ = await asyncio.wait({upcoming}, timeout=heartbeat_s)
            if not done:
                yield b": still here\n\n"
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield frame(event)
    finally:
        if upcoming is not None and not upcoming.done():
            upcoming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await upcoming
        await source.aclose()


def frame(event: Event) -> bytes:
    """Return one event as an SSE frame."""
    data = json.dumps({"at_us": event.at_us, **event.body})
    return f"id: {event.version}\nevent: run.state\ndata: {data}\n\n".encode()
