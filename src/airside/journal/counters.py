"""What both journals say of the sums of policy: whether one has room for a call, and what is given back. Pure."""

from collections.abc import Sequence
from typing import Final

from airside.core.call import Call, CallState
from airside.core.clock import SECOND_US
from airside.core.errors import Code
from airside.core.policy import Counter
from airside.core.ports import Refused

SUM_MAX: Final = 2**62
"""No sum is counted beyond this, so that 64 bits always hold it."""

SKEW_US: Final = 300 * SECOND_US
"""How far a process's clock may be ahead of the database's before its periods are not believed."""

_NOT_DONE: Final = frozenset(
    {CallState.TRANSIENT, CallState.CANCELLED, CallState.RATE_LIMITED, CallState.BREAKER, CallState.BUDGET}
)
_DONE: Final = frozenset({CallState.OK, CallState.ERROR})


def counters_of(call: Call) -> Sequence[Counter]:
    """Return the sums that a call adds to if it goes on."""
    return call.decision.counters if call.decision is not None else ()


def full(counter: Counter, moved: int, now_us: int) -> Refused | None:
    """Return why a sum has no room for what a call adds, or None."""
    if counter.period_start_us > now_us + SKEW_US:
        return Refused(Code.POLICY_DENIED, "policy does not allow this call: the clock of this process is ahead")
    if moved + counter.amount > counter.limit:
        said = (
            f"policy does not allow this call: others have used up what its rules allow in this period ({counter.name})"
        )
        return Refused(Code.POLICY_DENIED, said)
    return None


def not_done(state: CallState) -> bool:
    """Whether a call that ended so certainly changed nothing: a side effect in doubt is held instead."""
    return state in _NOT_DONE


def final(state: CallState) -> bool:
    """Whether nothing can change any more about what the call did."""
    return state in _DONE or state in _NOT_DONE
