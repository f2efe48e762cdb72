"""Guards: what they find in a text, and the cases that people keep of what they got wrong."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from airside.config.guards import PlaceName
from airside.guards.cases.book import CaseBook, Kept
from airside.guards.cases.written import Case, Expected
from airside.runs.cursor import BEGINNING, cursor_of, place_of
from airside.server.api.pages import Cursor, Limit, Page
from airside.server.api.plane_of import PlaneOf, ReadingsOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Operator, Reviewer, Viewer

router = APIRouter(prefix="/api/v1/guards", tags=["guards"], route_class=StrictRoute)

CaseId = Annotated[str, Path(max_length=100, description="`case_` and 26 characters")]
TEXT_CHARS_MAX = 1_048_576


class ExpectedBody(Body, Expected):
    """One finding that there must be."""


class CaseBody(Body):
    """A text of which the guards were wrong, and all that they should find in it; nothing: it is harmless."""

    text: str = Field(min_length=1, max_length=TEXT_CHARS_MAX)
    place: PlaceName = "user"
    agent: str = Field(default="", max_length=200)
    expect: list[ExpectedBody] = Field(default=[], max_length=1_000)
    run_id: str = Field(default="", max_length=100)
    because: str = Field(default="", max_length=2_000)


@router.get("/findings")
async def findings(
    principal: Viewer,
    plane: PlaneOf,
    readings: ReadingsOf,
    run: Annotated[str, Query(max_length=100, description="the run's id")],
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page:
    """List what guards found in a run's calls, in their order: rule, place, span and mode, never a text."""
    record = await plane.services.runs.get(principal.tenant_id, run)
    items, after = await readings.findings(record, cursor, limit)
    return Page(items=items, next_cursor=after or None)


@router.get("/cases")
async def cases(principal: Operator, plane: PlaneOf, limit: Limit = 50, cursor: Cursor = "") -> Page:
    """List the kept cases with their texts, the oldest first."""
    found = await _book(plane).page(principal.tenant_id, place_of(cursor, BEGINNING), limit + 1)
    shown = found[:limit]
    more = cursor_of(shown[-1].created_us, shown[-1].case_id) if len(found) > limit else None
    return Page(items=[_shown(kept) for kept in shown], next_cursor=more)


@router.post("/cases", status_code=201)
async def keep(principal: Reviewer, plane: PlaneOf, body: CaseBody) -> dict[str, Any]:
    """Keep a case: a false alarm, or something that was missed."""
    case = Case(text=body.text, place=body.place, agent=body.agent, expect=tuple(body.expect))
    book, by = _book(plane), principal.key_id
    made = await book.add(principal.tenant_id, case, by=by, because=body.because, run_id=body.run_id)
    return {"case_id": made}


@router.delete("/cases/{case_id}")
async def forget(principal: Operator, plane: PlaneOf, case_id: CaseId) -> dict[str, Any]:
    """Forget a case."""
    await _book(plane).remove(principal.tenant_id, case_id, by=principal.key_id)
    return {"case_id": case_id}


def _book(plane: PlaneOf) -> CaseBook:
    return CaseBook(plane.database, plane.keyring)


def _shown(kept: Kept) -> dict[str, Any]:
    case = kept.case.model_dump(mode="json", exclude_defaults=True) if kept.case is not None else None
    return {
        "case_id": kept.case_id,
        "created_us": kept.created_us,
        "created_by": kept.created_by,
        "run_id": kept.run_id,
        "because": kept.because,
        "case": case,
    }
