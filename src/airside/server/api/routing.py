"""Routing: how good answers were (feedback), what routing saved, and which fitted classifier is in force."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from msgspec import to_builtins
from pydantic import Field

from airside.composition.routing import priced_routes
from airside.gateways.models.routing.models import FittedModels
from airside.gateways.models.routing.outcomes import Outcomes
from airside.gateways.models.routing.report import bill, price_of, quality, shadows
from airside.gateways.models.routing.wishes import strongest_configured
from airside.server.api.plane_of import PlaneOf, RunId
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Admin, Reviewer, Viewer

router = APIRouter(prefix="/api/v1", tags=["routing"], route_class=StrictRoute)

INSTANT_MAX = 2**62
CallId = Annotated[str, Path(max_length=100, description="`call_` and 26 characters: the header x-airside-call")]
Since = Annotated[int, Query(ge=0, le=INSTANT_MAX, description="microseconds since 1970, UTC")]


class Feedback(Body):
    """How good answers were: 1 is good, 0 is not. The same source that speaks again replaces what it said."""

    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    source: Literal["feedback", "evaluation"] = "feedback"


class CallFeedback(Feedback):
    """How good the answer to one call was, which belongs to a run."""

    run: str = Field(max_length=100, description="the header x-airside-run of the answer")


class Activation(Body):
    """Which fitted classifier to use; 0 is none."""

    version: int = Field(ge=0, le=1_000_000_000)


@router.post("/calls/{call_id}/feedback")
async def on_call(call_id: CallId, said: CallFeedback, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Say how good the answer to a model call was; routing learns from it."""
    outcomes, tenant_id = Outcomes(plane.database), principal.tenant_id
    answers = await outcomes.of_call(tenant_id, said.run, call_id, said.score, source=said.source, by=principal.key_id)
    return {"call": call_id, "run": said.run, "score": said.score, "answers": answers}


@router.post("/runs/{run_id}/feedback")
async def on_run(run_id: RunId, said: Feedback, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Say how good a run was as a whole: the verdict goes to every answer of a model in it."""
    outcomes, tenant_id = Outcomes(plane.database), principal.tenant_id
    answers = await outcomes.of_run(tenant_id, run_id, said.score, source=said.source, by=principal.key_id)
    return {"run": run_id, "score": said.score, "answers": answers}


@router.get("/routing/report")
async def report(principal: Viewer, plane: PlaneOf, since_us: Since = 0) -> dict[str, Any]:
    """Tell what routed calls cost against always the strongest model, and how good each model's answers were found."""
    settings, tenant_id = plane.settings, principal.tenant_id
    strongest = strongest_configured(settings.routing)
    routed = await bill(plane.database, tenant_id, price_of(priced_routes(settings), strongest), since_us)
    active = next((one for one in await _fitted(plane).listed(tenant_id) if one["active"]), None)
    return {
        "routed": {**to_builtins(routed), "saved": routed.saved, "strongest": strongest},
        "quality": to_builtins(await quality(plane.database, tenant_id, since_us)),
        "floor": settings.routing.quality_floor,
        "fitted": active,
    }


@router.get("/routing/shadows")
async def shadow_report(principal: Viewer, plane: PlaneOf, since_us: Since = 0) -> dict[str, Any]:
    """Tell how candidates compare with the models that answered."""
    return {"items": to_builtins(await shadows(plane.database, principal.tenant_id, since_us))}


@router.get("/routing/models")
async def listed(principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the fitted classifiers, the latest first, with what each was fitted from and which is in force."""
    return {"items": await _fitted(plane).listed(principal.tenant_id)}


@router.post("/routing/models/active")
async def activate(wanted: Activation, principal: Admin, plane: PlaneOf) -> dict[str, Any]:
    """Put a fitted classifier in force, or none; the others are kept."""
    await _fitted(plane).activate(principal.tenant_id, wanted.version, by=principal.key_id)
    return {"version": wanted.version}


def _fitted(plane: PlaneOf) -> FittedModels:
    return FittedModels(plane.database, plane.keyring)
