"""Approvals: what agents want to do and a person must agree to, with the evidence."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from msgspec import structs
from pydantic import Field

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.runs.reviews import REASON_CHARACTERS_MAX, Review
from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Reviewer, Viewer

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], route_class=StrictRoute)

ApprovalId = Annotated[str, Path(max_length=100, description="`apr_` and 26 characters")]
State = Literal["", "pending", "approved", "denied", "expired"]


class Verdict(Body):
    """A reviewer's decision. `arguments` replace the proposed ones; the edited call passes policy again."""

    decision: Literal["approve", "deny"]
    reason: str = Field(default="", max_length=REASON_CHARACTERS_MAX)
    arguments: dict[str, Any] | None = None


@router.get("")
async def page(
    principal: Viewer,
    plane: PlaneOf,
    limit: Limit = 50,
    cursor: Cursor = "",
    state: State = "",
    run: Annotated[str, Query(max_length=100)] = "",
) -> Page:
    """List approvals, newest first, without their arguments."""
    found = await plane.services.reviews.page(principal.tenant_id, state=state, run_id=run, cursor=cursor, limit=limit)
    return Page(items=[_public(review) for review in found.reviews], next_cursor=found.cursor or None)


@router.get("/{approval_id}")
async def show(approval_id: ApprovalId, principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """Show one approval with the proposed arguments and the rules that asked for a person."""
    return _public(await plane.services.reviews.show(principal.tenant_id, approval_id))


@router.post("/{approval_id}/decision")
async def decide(approval_id: ApprovalId, verdict: Verdict, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Approve (as proposed or edited) or deny; final, and of two deciders the first wins."""
    reviews = plane.services.reviews
    if verdict.decision == "deny":
        if verdict.arguments is not None:
            raise AirsideError(Code.INVALID_REQUEST, "a denied call takes no arguments")
        review = await reviews.deny(principal.tenant_id, approval_id, principal.key_id, reason=verdict.reason)
    else:
        review = await reviews.approve(
            principal.tenant_id,
            approval_id,
            principal.key_id,
            reason=verdict.reason,
            arguments=None if verdict.arguments is None else canonical.encode(verdict.arguments),
        )
    return _public(review)


def _public(review: Review) -> dict[str, Any]:
    shown = structs.asdict(review)
    return {"id": shown.pop("approval_id"), "run": shown.pop("run_id"), **shown}
