"""Approvals: what agents want to do and a person must agree to, with the evidence."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from msgspec import structs, to_builtins
from pydantic import BaseModel, ConfigDict, Field

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.run import Principal, Role
from airside.runs.cursor import PAGE_MAX
from airside.runs.reviewing import batch
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.filters import Filter
from airside.runs.reviewing.remarks import COMMENT_CHARACTERS_MAX
from airside.runs.reviewing.review import Review
from airside.runs.reviews import REASON_CHARACTERS_MAX
from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Reviewer, Viewer, allows

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], route_class=StrictRoute)

ApprovalId = Annotated[str, Path(max_length=100, description="`apr_` and 26 characters")]
State = Literal["", "pending", "approved", "denied", "expired"]
Name = Annotated[str, Query(max_length=200)]


class Verdict(Body):
    """A reviewer's decision. `arguments` replace the proposed ones; the edited call passes policy again."""

    decision: Literal["approve", "deny"]
    reason: str = Field(default="", max_length=REASON_CHARACTERS_MAX)
    arguments: dict[str, Any] | None = None


class VerdictOn(Verdict):
    """A decision that names what it decides."""

    id: str = Field(max_length=100)


class Verdicts(Body):
    """Decisions that stand each for itself."""

    decisions: list[VerdictOn] = Field(min_length=1, max_length=batch.BATCH_MAX)


class NewComment(Body):
    """A comment."""

    text: str = Field(min_length=1, max_length=COMMENT_CHARACTERS_MAX)


class Endorsement(Body):
    """The place of an argument whose value the reviewer vouches for, such as `to` or `lines.0.account`."""

    argument: str = Field(min_length=1, max_length=200)


class Wanted(BaseModel):
    """What of the queue is wanted. `order: risk` puts in front what matters first."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=PAGE_MAX, description="items on the page")
    cursor: str = Field(default="", max_length=200, description="`next_cursor` of the page before")
    state: State = ""
    run: str = Field(default="", max_length=100)
    tool: str = Field(default="", max_length=200)
    agent: str = Field(default="", max_length=200)
    risk_min: int = Field(default=0, ge=0, le=1_000, description="least points of risk")
    order: Literal["newest", "risk"] = "newest"


@router.get("")
async def page(principal: Viewer, plane: PlaneOf, wanted: Annotated[Wanted, Query()]) -> Page:
    """List approvals, newest or riskiest first, without their arguments."""
    chosen = Filter(
        state=wanted.state,
        run_id=wanted.run,
        tool=wanted.tool,
        agent=wanted.agent,
        risk_min=wanted.risk_min,
        by_risk=wanted.order == "risk",
    )
    found = await plane.services.reviews.page(principal.tenant_id, chosen, cursor=wanted.cursor, limit=wanted.limit)
    return Page(items=[public(review) for review in found.reviews], next_cursor=found.cursor or None)


@router.post("/decisions")
async def decide_many(verdicts: Verdicts, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Decide up to 200 approvals; each is answered for itself, in the same order."""
    items = [
        batch.Item(approval_id=one.id, decision=one.decision, reason=one.reason, arguments=_edit(one))
        for one in verdicts.decisions
    ]
    answers = await batch.decide(plane.services.reviews, principal.tenant_id, person(principal), items)
    return {"items": answers}


@router.get("/statistics")
async def statistics(
    principal: Viewer,
    plane: PlaneOf,
    days: Annotated[int, Query(ge=1, le=3_650, description="how many days back")] = 30,
) -> dict[str, Any]:
    """Tell how often calls are approved, by tool, agent and reviewer, how long it takes, and who notices bad ones."""
    return await plane.services.reviewing.statistics.summary(principal.tenant_id, days=days)


@router.get("/confidence")
async def confidence(principal: Viewer, plane: PlaneOf, agent: Name, tool: Name) -> dict[str, Any]:
    """Return the data of a reliability diagram: what an agent's confidence in a tool's calls has been worth."""
    return await plane.services.reviewing.calibrations.report(principal.tenant_id, agent, tool)


@router.get("/export")
async def export(principal: Reviewer, plane: PlaneOf, limit: Limit = 50, cursor: Cursor = "") -> Page:
    """Return what was denied or changed as cases for evaluation, in the order of the decisions, unsealed."""
    cases, following = await plane.services.reviewing.export.page(principal.tenant_id, cursor=cursor, limit=limit)
    return Page(items=cases, next_cursor=following or None)


@router.get("/{approval_id}")
async def show(approval_id: ApprovalId, principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """Show one approval with the rules that asked for a person; reviewers also see the arguments."""
    opened = allows(principal.role, Role.REVIEWER)
    reviewing = plane.services.reviewing
    review = await reviewing.reviews.show(principal.tenant_id, approval_id, opened=opened)
    return public(review) | {"endorsed": await reviewing.remarks.endorsed(principal.tenant_id, approval_id)}


@router.get("/{approval_id}/evidence")
async def evidence(approval_id: ApprovalId, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Show what led to the proposal: the task, the model's reasoning, what the run did and read before."""
    dossier = await plane.services.reviewing.evidence.of(principal.tenant_id, approval_id)
    shown: dict[str, Any] = to_builtins(dossier)
    return {"id": shown.pop("approval_id"), **shown}


@router.post("/{approval_id}/decision")
async def decide(approval_id: ApprovalId, verdict: Verdict, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Approve (as proposed or edited) or deny; final, and of two deciders the first wins."""
    reviews, who, edit = plane.services.reviews, person(principal), _edit(verdict)
    if verdict.decision == "deny":
        if edit is not None:
            raise AirsideError(Code.INVALID_REQUEST, "a denied call takes no arguments")
        review = await reviews.deny(principal.tenant_id, approval_id, who, reason=verdict.reason)
    else:
        review = await reviews.approve(principal.tenant_id, approval_id, who, reason=verdict.reason, arguments=edit)
    return public(review)


@router.get("/{approval_id}/comments")
async def comments(approval_id: ApprovalId, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """List the comments on an approval, the oldest first."""
    found = await plane.services.reviewing.remarks.comments(principal.tenant_id, approval_id)
    return {"items": [to_builtins(comment) for comment in found]}


@router.post("/{approval_id}/comments")
async def comment(approval_id: ApprovalId, new: NewComment, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Add a comment for other reviewers; the agent never sees it."""
    remarks = plane.services.reviewing.remarks
    return {"id": await remarks.comment(principal.tenant_id, approval_id, person(principal), new.text)}


@router.post("/{approval_id}/endorsements")
async def endorse(approval_id: ApprovalId, wanted: Endorsement, principal: Reviewer, plane: PlaneOf) -> dict[str, Any]:
    """Vouch for the value of a proposed argument in every call of this run."""
    remarks = plane.services.reviewing.remarks
    await remarks.endorse(principal.tenant_id, approval_id, person(principal), wanted.argument)
    return {"items": await remarks.endorsed(principal.tenant_id, approval_id)}


def person(principal: Principal) -> Person:
    """Return who decides: people are told apart by the names of their keys."""
    return Person(principal.name, principal.key_id, principal.role)


def _edit(verdict: Verdict) -> bytes | None:
    return None if verdict.arguments is None else canonical.encode(verdict.arguments)


def public(review: Review) -> dict[str, Any]:
    """Return a review as the API shows it."""
    shown = structs.asdict(review) | {"votes": to_builtins(review.votes), "band": review.band.value}
    return {"id": shown.pop("approval_id"), "run": shown.pop("run_id"), **shown}
