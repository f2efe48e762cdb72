"""Many decisions in one request: each stands for itself, and each is answered for itself."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.review import Review
from airside.runs.reviews import Reviews

BATCH_MAX: Final = 200


class Item(Struct, frozen=True, kw_only=True):
    """One decision of a batch; `arguments` are canonical JSON."""

    approval_id: str
    decision: Literal["approve", "deny"]
    reason: str = ""
    arguments: bytes | None = None


async def decide(reviews: Reviews, tenant_id: str, person: Person, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Decide each and return, in the same order, its state or its error.

    An approval that stands in the batch more than once is not decided at all: which of the verdicts was meant?
    """
    if len(items) > BATCH_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"{len(items)} decisions; at most {BATCH_MAX} in a batch")
    times = Counter(item.approval_id for item in items)
    answers = []
    for item in items:
        try:
            if times[item.approval_id] > 1:
                raise AirsideError(Code.INVALID_REQUEST, "this approval stands more than once in the batch")
            review = await _one(reviews, tenant_id, person, item)
        except AirsideError as error:
            told = {"code": error.code.value, "message": error.message, "advice": error.advice}
            answers.append({"id": item.approval_id, "ok": False, "error": told})
        else:
            answers.append({"id": item.approval_id, "ok": True, "state": review.state})
    return answers


async def _one(reviews: Reviews, tenant_id: str, person: Person, item: Item) -> Review:
    if item.decision == "approve":
        return await reviews.approve(tenant_id, item.approval_id, person, reason=item.reason, arguments=item.arguments)
    if item.arguments is not None:
        raise AirsideError(Code.INVALID_REQUEST, "a denied call takes no arguments")
    return await reviews.deny(tenant_id, item.approval_id, person, reason=item.reason)
