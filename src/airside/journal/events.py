"""The journal's vocabulary: every entry type and the function that writes its body.

Bodies are JSON with sorted keys. They hold ids, sizes, meters and decisions, never content: content is named by its
keyed id. A type never changes its meaning; when its body changes, its version grows and readers upcast.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import Code
from airside.core.policy import Facts
from airside.core.ports import Entry

CALL_INTENT: Final = "call.intent"
CALL_OUTCOME: Final = "call.outcome"
CALL_REFUSED: Final = "call.refused"
RUN_STATE: Final = "run.state"
ATTEMPT_STARTED: Final = "attempt.started"
ATTEMPT_ENDED: Final = "attempt.ended"
APPROVAL_REQUESTED: Final = "approval.requested"
APPROVAL_DECIDED: Final = "approval.decided"
APPROVAL_VOTED: Final = "approval.voted"
APPROVAL_ESCALATED: Final = "approval.escalated"
APPROVAL_ENDORSED: Final = "approval.endorsed"
APPROVAL_COMMENTED: Final = "approval.commented"
APPROVAL_NOTIFIED: Final = "approval.notified"
APPROVAL_SEEDED: Final = "approval.seeded"
APPROVAL_SEED_DECIDED: Final = "approval.seed_decided"
RUN_HANDED_OFF: Final = "run.handed_off"
KILL_SET: Final = "kill.set"
KILL_LIFTED: Final = "kill.lifted"
KEY_CREATED: Final = "key.created"
KEY_REVOKED: Final = "key.revoked"
RELEASE_CREATED: Final = "release.created"
CACHE_CLEARED: Final = "cache.cleared"
TOOL_RESULTS_CLEARED: Final = "tool_results.cleared"
BREAKER_OPENED: Final = "breaker.opened"
BREAKER_PROBED: Final = "breaker.probed"
BREAKER_CLOSED: Final = "breaker.closed"
NOTICE: Final = "notice"
ROUTING_OUTCOME: Final = "routing.outcome"
ROUTING_MODEL: Final = "routing.model"
PLAN_COMMITTED: Final = "plan.committed"
RESPONSE_DELETED: Final = "response.deleted"
BUDGET_LEVEL: Final = "budget.level"
BUDGET_LIMITED: Final = "budget.limited"
BUDGET_UNLIMITED: Final = "budget.unlimited"
BUDGET_CREDITED: Final = "budget.credited"
POLICY_CHANGED: Final = "policy.changed"
POLICY_REJECTED: Final = "policy.rejected"
TOOLS_LISTED: Final = "tools.listed"
GUARD_CASE_ADDED: Final = "guard.case_added"
GUARD_CASE_REMOVED: Final = "guard.case_removed"

VERSIONS: Final[dict[str, int]] = {
    CALL_INTENT: 1,
    CALL_OUTCOME: 1,
    CALL_REFUSED: 1,
    RUN_STATE: 1,
    ATTEMPT_STARTED: 1,
    ATTEMPT_ENDED: 1,
    APPROVAL_REQUESTED: 1,
    APPROVAL_DECIDED: 2,  # 2 names the key beside the person
    APPROVAL_VOTED: 1,
    APPROVAL_ESCALATED: 1,
    APPROVAL_ENDORSED: 1,
    APPROVAL_COMMENTED: 1,
    APPROVAL_NOTIFIED: 1,
    APPROVAL_SEEDED: 1,
    APPROVAL_SEED_DECIDED: 1,
    RUN_HANDED_OFF: 1,
    KILL_SET: 1,
    KILL_LIFTED: 1,
    KEY_CREATED: 1,
    KEY_REVOKED: 1,
    RELEASE_CREATED: 1,
    CACHE_CLEARED: 1,
    TOOL_RESULTS_CLEARED: 1,
    BREAKER_OPENED: 1,
    BREAKER_PROBED: 1,
    BREAKER_CLOSED: 1,
    NOTICE: 1,
    ROUTING_OUTCOME: 1,
    ROUTING_MODEL: 1,
    PLAN_COMMITTED: 1,
    RESPONSE_DELETED: 1,
    BUDGET_LEVEL: 1,
    BUDGET_LIMITED: 1,
    BUDGET_UNLIMITED: 1,
    BUDGET_CREDITED: 1,
    POLICY_CHANGED: 1,
    POLICY_REJECTED: 1,
    TOOLS_LISTED: 1,
    GUARD_CASE_ADDED: 1,
    GUARD_CASE_REMOVED: 1,
}
"""Every type and the version that is written today."""

_encoder = msgspec.json.Encoder(order="sorted")


def entry(type_: str, body: dict[str, Any], *, tenant_id: str, run_id: str = "", call_id: str = "") -> Entry:
    """Return an entry of a known type; raises KeyError for a type that is not in VERSIONS."""
    return Entry(tenant_id, run_id, call_id, type_, VERSIONS[type_], _encoder.encode(body))


def intent(call: Call, executor_id: str, request: Sequence[bytes]) -> Entry:
    """Return the entry that must be durable before a call leaves. `request` are the content ids of its parts."""
    return _of_call(
        CALL_INTENT,
        call,
        {
            "executor": executor_id,
            "request": [name.hex() for name in request],
            "need": {
                "nanousd": call.need.nanousd(call.need.output_tokens),
                "tokens": call.need.tokens(call.need.output_tokens),
            },
            "approval": call.approval_id,
            "edited": call.edited,
            **({"notes": dict(call.notes)} if call.notes else {}),
        },
    )


def outcome(call: Call, result: Outcome, answer: bytes) -> Entry:
    """Return the entry that tells what came of a call. `answer` is the content id of the delivered body, or empty."""
    return _of_call(
        CALL_OUTCOME,
        call,
        {
            "state": result.state,
            "answer": answer.hex(),
            "bytes": len(result.body),
            "usage": result.usage,
            "cost_nanousd": result.cost,
            "price": result.price,
            "metered": result.metered,
            "upstream": result.upstream,
            "code": result.code,
            **({"notes": dict(result.notes)} if result.notes else {}),
        },
    )


def refused(
    call: Call, state: CallState, code: Code, message: str, notes: Mapping[str, Any] = MappingProxyType({})
) -> Entry:
    """Return the entry of a call that did not leave, with what stopped it: a decision of policy, or `notes` of it."""
    said = {"notes": dict(notes)} if notes else {}
    return _of_call(CALL_REFUSED, call, {"state": state, "code": code, "message": message, **said})


def _of_call(type_: str, call: Call, body: dict[str, Any]) -> Entry:
    body |= {
        "attempt": call.who.attempt,
        "kind": call.kind,
        "name": call.name,
        "effect": call.effect,
        "hash": call.request_hash.hex(),
        "occurrence": call.occurrence,
        "try": call.try_number,
        "decision": call.decision,
        **({"facts": _facts(call.facts)} if call.facts.at_us else {}),
    }
    return entry(type_, body, tenant_id=call.who.tenant_id, run_id=call.who.run_id, call_id=call.call_id)


def _facts(facts: Facts) -> dict[str, Any]:
    """Return what policy was told of a call; the provenance of its arguments stands in the decision."""
    said = {name: getattr(facts, name) for name in facts.__struct_fields__ if name != "links"}
    return {name: value for name, value in said.items() if value or (name == "confidence" and value is not None)}
