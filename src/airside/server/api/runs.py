"""Runs: submit a task, look at it, follow it, cancel it, say what became of a held call."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from msgspec import structs
from pydantic import Field

from airside.core import canonical
from airside.core.dependencies import Asker
from airside.core.errors import AirsideError, Code
from airside.core.run import Principal, RunState
from airside.runs.held import Finding
from airside.runs.submission import Submission
from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf, ReadingsOf, RunId
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Operator, Viewer

router = APIRouter(prefix="/api/v1/runs", tags=["runs"], route_class=StrictRoute)

IdempotencyKey = Annotated[
    str, Header(max_length=255, description="same key and body within 24 hours: same run; other body: 409")
]


class NewRun(Body):
    """A task for an agent."""

    agent: str = Field(min_length=1, max_length=100)
    input: Any = Field(default=None, description="any JSON value, as the agent expects it")
    labels: dict[str, str] = Field(default={}, max_length=10, description="business_unit, workflow, customer, user")
    priority: int = Field(default=0, ge=-100, le=100, description="lower goes first")
    webhook_url: str = Field(default="", max_length=2_000, description="told when the run ends")
    not_before_us: int = Field(default=0, ge=0, le=2**62, description="begins then or later; within 31 days")
    window: Literal["", "off_peak"] = Field(default="", description="off_peak: begins in the hours of runs.off_peak")
    principal: dict[str, str] = Field(
        default={}, max_length=20, description="what you know for certain of whom the run is for: customer, user, …"
    )
    untrusted: list[str] = Field(
        default=[], max_length=100, description="paths in the input that are not the user's own words"
    )
    plan: dict[str, Any] | None = Field(default=None, description="effects that the run may have: docs/provenance.md")


class Move(Body):
    """Where a waiting run goes on."""

    release: str = Field(default="", max_length=100, description="`rel_` and 32 digits; empty: the one new runs get")


class Resolution(Body):
    """What a person found out about a held run, who has looked at the other system."""

    finding: Literal["happened", "not_happened", "give_up"]
    call_id: str = Field(default="", max_length=200, description="one held call; empty: all of the run")
    result: Any = Field(default=None, description="what the tool would have answered, if it happened")


@router.post("", status_code=202)
async def submit(
    new: NewRun,
    principal: Operator,
    plane: PlaneOf,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Take a task on and answer at once; `Location` is where its state is."""
    if plane.resilience.submission_rates.limited:
        await plane.resilience.submission_rates.take(_asker(new, principal, request))
    run = await plane.services.runs.submit(
        Submission(
            tenant_id=principal.tenant_id,
            agent=new.agent,
            input=canonical.encode(new.input),
            labels=new.labels,
            priority=new.priority,
            webhook_url=new.webhook_url,
            idempotency_key=idempotency_key,
            not_before_us=new.not_before_us,
            window=new.window,
            by=principal.name,
            principal=new.principal,
            untrusted=tuple(new.untrusted),
            plan=canonical.encode(new.plan) if new.plan is not None else b"",
            caller=principal.role.value,
        )
    )
    response.headers["location"] = f"/api/v1/runs/{run.run_id}"
    return run.public()


def _asker(new: NewRun, principal: Principal, request: Request) -> Asker:
    """Return whose rate limits a submission counts for."""
    labels = [f"{name}:{new.labels[name]}" for name in ("customer", "user") if new.labels.get(name)]
    peer = request.client.host if request.client else ""
    return Asker(principal.tenant_id, labels[0] if labels else "", principal.key_id, peer)


@router.get("")
async def page(
    principal: Viewer,
    plane: PlaneOf,
    limit: Limit = 50,
    cursor: Cursor = "",
    state: RunState | None = None,
    agent: Annotated[str, Query(max_length=100)] = "",
) -> Page:
    """List runs, newest first."""
    found = await plane.services.runs.page(
        principal.tenant_id, cursor=cursor, limit=limit, state=state.value if state else "", agent=agent
    )
    return Page(items=[run.public() for run in found.runs], next_cursor=found.cursor or None)


@router.get("/{run_id}")
async def show(run_id: RunId, principal: Viewer, plane: PlaneOf, readings: ReadingsOf) -> dict[str, Any]:
    """Show a run, with what it has spent and may spend."""
    run = await plane.services.runs.get(principal.tenant_id, run_id)
    path = await readings.path(run)
    return run.public() | {"budget": path[-1] if path else None}


@router.get("/{run_id}/result")
async def result(run_id: RunId, principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """Return what the run produced; `conflict` while there is nothing yet."""
    run = await plane.services.runs.get(principal.tenant_id, run_id)
    body = await plane.services.runs.answer(principal.tenant_id, run_id)
    if body is None and not run.terminal:
        raise AirsideError(
            Code.CONFLICT, f"the run is {run.state} and has no result yet", details={"state": run.state.value}
        )
    return {"id": run_id, "state": run.state.value, "result": None if body is None else json.loads(body)}


@router.get("/{run_id}/calls")
async def calls(
    run_id: RunId, principal: Viewer, plane: PlaneOf, readings: ReadingsOf, limit: Limit = 50, cursor: Cursor = ""
) -> Page:
    """List the run's calls to models and tools in the order in which they were made, without content."""
    run = await plane.services.runs.get(principal.tenant_id, run_id)
    items, after = await readings.calls(run, cursor, limit)
    return Page(items=items, next_cursor=after or None)


@router.post("/{run_id}/cancel")
async def cancel(run_id: RunId, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Cancel a run; one that is executing ends within seconds."""
    return (await plane.services.runs.cancel(principal.tenant_id, run_id, principal.key_id)).public()


@router.post("/{run_id}/move")
async def move(run_id: RunId, to: Move, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Bind a queued or parked run to another release of its agent; it begins anew, and replays what it recorded."""
    return (await plane.services.runs.move_to(principal.tenant_id, run_id, principal.key_id, to.release)).public()


@router.get("/{run_id}/held")
async def held(run_id: RunId, principal: Viewer, plane: PlaneOf) -> dict[str, Any]:
    """List the calls whose outcome is unknown and that hold the run."""
    await plane.services.runs.get(principal.tenant_id, run_id)
    return {"items": [structs.asdict(call) for call in await plane.services.held.calls(principal.tenant_id, run_id)]}


@router.post("/{run_id}/resolve")
async def resolve(run_id: RunId, found: Resolution, principal: Operator, plane: PlaneOf) -> dict[str, Any]:
    """Say what became of calls whose outcome is unknown, and let the run go on, or give it up."""
    tenant_id, by, held_runs = principal.tenant_id, principal.key_id, plane.services.held
    if found.finding == "give_up":
        return (await held_runs.fail(tenant_id, run_id, by)).public()
    result = b"" if found.result is None else canonical.encode(found.result)
    finding = Finding(found.finding)
    run = await held_runs.resolve(tenant_id, run_id, finding, by, call_id=found.call_id, result=result)
    return run.public()
