"""What may happen to a call, decided from how things stand in the batch's transaction. No I/O.

`Standing` is a row of the statement `stand`: the run, the attempt, the call and its approval, None where there is none.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from airside.core import budget
from airside.core.budget import Balance, Exhausted, Granted, Limits
from airside.core.call import Call, CallKind, CallState
from airside.core.errors import AirsideError, Code
from airside.core.money import NanoUsd
from airside.core.ports import Closing, Opening, Refused

AMOUNT_MAX = 2**53  # one call's nano-dollars or tokens: totals of 64 bits must not be passed by a nonsensical report

Standing = Mapping[str, Any]
Path = list[tuple[str, Balance]]


def repeated(standing: Standing, opening: Opening) -> bool:
    """Whether this very intent is there already: its commit succeeded, but we were not told."""
    return bool(
        standing["executor_id"] == opening.executor_id
        and standing["call_attempt"] == opening.call.who.attempt
        and standing["try_number"] == opening.call.try_number
    )


def fence(standing: Standing, attempt: int, *, idempotent: bool) -> Refused | None:
    """Return why the attempt may not make this call now, or None. A held call is sent again only if idempotent."""
    if standing["run_state"] is None:
        return Refused(Code.ATTEMPT_SUPERSEDED, "the run of this call does not exist")
    if standing["run_code"] == Code.KILLED:
        return Refused(Code.KILLED, "the run was killed")
    if standing["run_state"] == "cancelled":
        return Refused(Code.CANCELLED, "the run was cancelled")
    if standing["run_attempt"] != attempt or standing["attempt"] is None or standing["attempt_ended_us"] is not None:
        return Refused(Code.ATTEMPT_SUPERSEDED, f"attempt {attempt} of the run is over")
    if standing["run_state"] != "running":
        return Refused(Code.ATTEMPT_SUPERSEDED, f"the run is {standing['run_state']}")
    if standing["state"] in {"ok", "error", "denied"}:
        return Refused(Code.CONFLICT, f"the call already has an outcome: {standing['state']}")
    if standing["state"] == "held" and not idempotent:
        return Refused(Code.OUTCOME_UNKNOWN, "the call is held: whether it had its effect is not known")
    return None


def approval_gone(standing: Standing, call: Call) -> Refused | None:
    """Return why the approval that a call names does not cover it, or None."""
    if not call.approval_id or (
        standing["approval_state"] == "approved"
        and standing["approval_run"] == call.who.run_id
        and standing["approval_tool"] == call.name
        and standing["consumed_by"] in {"", call.call_id}
        and (standing["use_by_us"] is None or standing["use_by_us"] > standing["now_us"])
        and (call.edited or standing["approval_hash"] == call.request_hash)
    ):
        return None
    return Refused(Code.APPROVAL_EXPIRED, "the approval is not valid for this call, or no longer, or was used")


def admit(path: Path, call: Call, earlier: Granted | None) -> Granted | Exhausted | budget.Blocked:
    """Decide the reservation of an intent, after charging what an earlier, orphaned try still holds in full.

    Balances change only if the answer is Granted. Raises AirsideError `limit_exceeded` for amounts beyond AMOUNT_MAX.
    """
    need = call.need
    if max(need.nanousd(need.output_tokens), need.tokens(need.output_tokens)) > AMOUNT_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the call may need more than {AMOUNT_MAX} nano-dollars or tokens")
    if earlier is None:
        return budget.admit(path, need, call.kind)
    trial = [(node, msgspec.structs.replace(balance)) for node, balance in path]
    budget.settle(trial, earlier, earlier.nanousd, earlier.tokens, model_answered=False)
    verdict = budget.admit(trial, need, call.kind)
    if isinstance(verdict, Granted):
        for (_, balance), (_, tried) in zip(path, trial, strict=True):
            for name in Balance.__struct_fields__:
                setattr(balance, name, getattr(tried, name))
    return verdict


def held_by(standing: Standing) -> Granted:
    """Return the reservation that an open call's row carries."""
    return Granted(
        NanoUsd(standing["reserved_nanousd"]), standing["reserved_tokens"], standing["output_tokens_granted"]
    )


def settle(path: Path, standing: Standing, closing: Closing) -> tuple[NanoUsd, int]:
    """Settle an open call along its path and return what it is charged: nano-dollars and tokens."""
    reserved = held_by(standing)
    cost = reserved.nanousd if closing.cost is None else NanoUsd(_bounded(closing.cost))
    tokens = reserved.tokens if closing.tokens is None else _bounded(closing.tokens)
    answered = standing["kind"] == CallKind.MODEL and closing.state is CallState.OK
    budget.settle(path, reserved, cost, tokens, model_answered=answered)
    return cost, tokens


def balance(row: Mapping[str, Any]) -> Balance:
    """Return a row of `budgets` as a Balance."""
    limits = Limits(row["limit_nanousd"], row["limit_tokens"], row["limit_calls"], row["limit_turn_tool_calls"])
    return Balance(
        limits,
        row["spent_nanousd"],
        row["spent_tokens"],
        row["spent_calls"],
        row["turn_tool_calls"],
        row["reserved_nanousd"],
        row["reserved_tokens"],
        row["reserved_calls"],
    )


@lru_cache(maxsize=4_096)
def path_text(nodes: tuple[str, ...]) -> str:
    """Return a budget path as it is stored."""
    return msgspec.json.encode(nodes).decode()


@lru_cache(maxsize=4_096)
def path_nodes(text: str) -> tuple[str, ...]:
    """Return a stored budget path."""
    return tuple(msgspec.json.decode(text))


def _bounded(amount: int) -> int:
    return min(max(amount, 0), AMOUNT_MAX)
