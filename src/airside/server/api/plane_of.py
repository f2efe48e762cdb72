"""How a route reaches the plane that it serves, and its readings."""

from typing import Annotated

from fastapi import Depends, Path, Request

from airside.plane import Plane
from airside.server.readings import Readings

# Coroutines, because FastAPI gives every ordinary function a thread.


async def _plane(request: Request) -> Plane:
    plane: Plane = request.app.state.plane
    return plane


async def _readings(request: Request) -> Readings:
    readings: Readings = request.app.state.readings
    return readings


PlaneOf = Annotated[Plane, Depends(_plane)]
ReadingsOf = Annotated[Readings, Depends(_readings)]
RunId = Annotated[str, Path(max_length=100, description="`run_` and 26 characters")]
