"""An approval as reviewers see it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from airside.core.ports import Row
from airside.runs.reviewing.confidence import Band, band


class Vote(Struct, frozen=True, kw_only=True):
    """One person's agreement. `arguments` are the edited ones that they agreed to, if they did so."""

    reviewer: str
    at_us: int
    edited: bool
    arguments: Any = None


class Review(Struct, frozen=True, kw_only=True):
    """An approval with what led to it. `arguments` and `edited_arguments` are unsealed only for those who decide.

    `decision` names the rules and, per argument, where its value came from. `risk_factors` are points by reason.
    `required` different people must agree. `seeded` is told only once it is decided: whether this was a proposal known
    to be bad, put here to see who notices.
    """

    approval_id: str
    run_id: str
    agent: str
    tool: str
    state: str
    decision: dict[str, Any]
    labels: dict[str, str]
    reason: str
    decided_by: str
    requested_us: int
    decide_by_us: int
    decided_us: int | None
    use_by_us: int | None
    consumed_by: str
    risk: int
    risk_factors: dict[str, int]
    required: int
    step: int
    escalate_us: int | None
    confidence: float | None
    calibrated: float | None
    band: Band
    seeded: bool | None = None
    votes: Sequence[Vote] = ()
    arguments: Any = None
    edited_arguments: Any = None


class ReviewPage(Struct, frozen=True):
    """Some approvals and the cursor of the next page; an empty cursor is the end."""

    reviews: Sequence[Review]
    cursor: str


def of_row(row: Row, opened: Mapping[bytes, Any] | None = None, votes: Sequence[Vote] = ()) -> Review:
    """Return a row of the queue as people see it; `opened` are contents by their ids."""
    contents = opened or {}
    about = json.loads(row["about"])
    decided = row["state"] != "pending"
    return Review(
        approval_id=row["approval_id"],
        run_id=row["run_id"],
        agent=row["agent"],
        tool=row["tool"],
        state=row["state"],
        decision=json.loads(row["decision"]),
        labels=json.loads(row["labels"]),
        reason=row["reason"],
        decided_by=row["decided_by"],
        requested_us=row["requested_us"],
        decide_by_us=row["decide_by_us"],
        decided_us=row["decided_us"],
        use_by_us=row["use_by_us"],
        consumed_by=row["consumed_by"],
        risk=row["risk"],
        risk_factors=about.get("factors", {}),
        required=row["required"],
        step=row["step"],
        escalate_us=row["escalate_us"],
        confidence=row["confidence"],
        calibrated=row["calibrated"],
        band=band(row["calibrated"], about.get("profile", "default")),
        seeded=bool(row["seeded"]) if decided else None,
        votes=votes,
        arguments=contents.get(bytes(row["arguments"])),
        edited_arguments=contents.get(bytes(row["edited_arguments"])) if row["edited_arguments"] else None,
    )
