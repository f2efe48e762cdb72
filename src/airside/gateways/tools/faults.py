"""What a fault of a tool means for the call: try again, or a person must look. Pure decisions, no I/O."""

from enum import StrEnum

from airside.core.call import Call
from airside.core.errors import AirsideError, Code, TransientError


class Fault(StrEnum):
    """How an execution can go wrong without an answer from the tool."""

    NOT_SENT = "not_sent"  # no slot or no host in time: nothing happened
    HOST_DIED = "host_died"  # it died with the call in flight
    TIMEOUT = "timeout"  # the tool did not answer in time; it may still be at work


def fault_error(call: Call, fault: Fault, died: str = "the tool host died") -> AirsideError:
    """Return the error of a call whose execution met a fault; `died` says what has died, if something has.

    TransientError where sending it again is safe: nothing happened, or it reads, or it honours its idempotency key.
    Else `outcome_unknown`: the effect may have happened, and only a person can tell.
    """
    if fault is Fault.NOT_SENT:
        return TransientError(
            Code.UPSTREAM_TIMEOUT,
            f"no place to run {call.name} was free within {call.timeout_s} s",
            details={"not_sent": True},
        )
    if fault is Fault.TIMEOUT:
        code, what = Code.UPSTREAM_TIMEOUT, f"{call.name} did not answer within {call.timeout_s} s"
    else:
        code, what = Code.UPSTREAM_FAILED, f"{died} while it executed {call.name}"
    if call.side_effect and not call.idempotent:
        return AirsideError(Code.OUTCOME_UNKNOWN, f"{what}; whether it took effect is unknown")
    return TransientError(code, what)
