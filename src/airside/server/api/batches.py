"""Batches: many questions at once for a provider's batch API, cheaper and answered within a day."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from airside.gateways.models.batches.answers import answers
from airside.gateways.models.batches.desk import Wanted, public
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Operator, Viewer

router = APIRouter(prefix="/api/v1/batches", tags=["batches"], route_class=StrictRoute)
BatchId = Annotated[str, Path(max_length=100, description="`batch_` and 26 characters")]


class NewBatch(Body):
    """Questions for one model."""

    model: str = Field(min_length=1, max_length=200)
    requests: list[dict[str, Any]] = Field(min_length=1, description="Chat Completions bodies; `model` may be left out")
    window: Literal["24h"] = "24h"
    label: str = Field(default="batch", pattern=r"^[A-Za-z0-9_.-]{1,100}$", description="the agent of the batch's run")


@router.post("", status_code=202)
async def submit(
    new: NewBatch,
    principal: Operator,
    plane: PlaneOf,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=255, description="same key and body: same batch")] = "",
) -> dict[str, Any]:
    """Reserve the worst case of every question, hand them to the provider, and answer once it has them."""
    wanted = Wanted(new.model, new.requests, new.label, idempotency_key)
    found = await plane.batches.desk.submit(principal, wanted)
    response.headers["location"] = f"/api/v1/batches/{found[0]['batch_id']}"
    return public(found)


@router.get("/{batch_id}")
async def show(batch_id: BatchId, principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """Show how a batch stands, and how many of its calls are in which state."""
    return public(await plane.batches.desk.show(principal.tenant_id, batch_id))


@router.get("/{batch_id}/results")
async def results(batch_id: BatchId, principal: Viewer, plane: PlaneOf) -> StreamingResponse:
    """Return one line of JSON per question, in their order; those still open have no answer yet."""
    batch, _ = await plane.batches.desk.show(principal.tenant_id, batch_id)
    lines = answers(plane.database, plane.keyring, batch)
    return StreamingResponse(lines, media_type="application/jsonl")


@router.post("/{batch_id}/cancel")
async def cancel(batch_id: BatchId, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Call a batch off; what the provider has answered by then is charged, the rest is given back."""
    return public(await plane.batches.desk.cancel(principal.tenant_id, batch_id))
