"""What becomes of a run when an attempt has ended. Pure: facts in, the next state out."""

from collections.abc import Sequence

from msgspec import Struct

from airside.core.clock import SECOND_US
from airside.core.errors import Code
from airside.core.ports import Row
from airside.core.run import TERMINAL, RunState
from airside.runs.isolation.port import AttemptEnd, EndKind
from airside.runs.record import RunRecord

BACKOFF_FIRST_US = 200_000
BACKOFF_FACTOR = 4
BACKOFF_US_MAX = 30 * SECOND_US
PARKED_US = 15 * SECOND_US
NOT_THE_AGENTS_FAULT = frozenset({Code.JOURNAL_UNAVAILABLE, Code.UNAUTHENTICATED, Code.ATTEMPT_SUPERSEDED})
"""Refusals that mean that airside was away, or frozen past its leases: the attempt counts as crashed."""

ENOUGH = frozenset({Code.BUDGET_EXHAUSTED, Code.NO_PROGRESS})
NO_ANSWER = frozenset({Code.UPSTREAM_FAILED, Code.UPSTREAM_TIMEOUT, Code.BREAKER_OPEN})
"""Failures of a provider or tool: a run that had achieved something by then is `partial` and not `failed` (E3)."""
"""Refusals that end a run with what it has come to."""


class Facts(Struct, frozen=True):
    """What the database says at the moment of the verdict.

    `open_effects` are side effects still under way that must not be repeated, `held` those whose outcome nobody knows,
    `pending` approvals that wait for a person, `unconsumed` recorded side effects that the attempt did not come to,
    `answered` calls that came to something, `handed_off` tasks of the run that other agents are still doing.
    """

    open_effects: int
    held: int
    pending: int
    unconsumed: int
    answered: int = 0
    handed_off: int = 0


class Verdict(Struct, frozen=True):
    """The state a run goes to, and why. `ready_us` is how long it then waits; `crashed` counts against attempts_max."""

    state: RunState
    code: str = ""
    message: str = ""
    ready_us: int = 0
    crashed: bool = False


def decide(run: RunRecord, end: AttemptEnd, facts: Facts, attempts_max: int) -> Verdict:
    """Return what becomes of a run. What airside asked for goes before how the agent took it."""
    verdict = _asked(run, facts) if run.suspend else _ended(run, end, facts, attempts_max)
    unknown = facts.held + (facts.open_effects if verdict.state in TERMINAL else 0)
    if unknown and verdict.state is not RunState.DIVERGED:
        return Verdict(
            RunState.HELD,
            run.code if run.suspend is RunState.CANCELLED else Code.OUTCOME_UNKNOWN.value,
            f"it is not known whether {unknown} side effect(s) happened; a person must look",
        )
    return verdict


def _asked(run: RunRecord, facts: Facts) -> Verdict:
    state = run.suspend or RunState.HELD
    if state is RunState.WAITING_APPROVAL and not facts.pending:
        return Verdict(RunState.QUEUED)
    if state is RunState.PARKED and run.code == Code.HANDED_OFF and not facts.handed_off:
        return Verdict(RunState.QUEUED)
    ready_us = PARKED_US if state is RunState.PARKED else 0
    return Verdict(state, run.code, run.message, ready_us)


def _ended(run: RunRecord, end: AttemptEnd, facts: Facts, attempts_max: int) -> Verdict:
    if end.kind is EndKind.STOPPED:
        return Verdict(RunState.QUEUED)
    if end.kind is EndKind.CRASHED or end.code in NOT_THE_AGENTS_FAULT:
        crashes = run.crashes + 1
        if crashes >= attempts_max:
            message = f"{end.message} (attempt {crashes} of {attempts_max})"
            return Verdict(RunState.FAILED, Code.AGENT_FAILED.value, message, crashed=True)
        return Verdict(RunState.QUEUED, message=end.message, ready_us=backoff_us(crashes), crashed=True)
    if facts.unconsumed:
        return Verdict(
            RunState.DIVERGED,
            Code.DIVERGED.value,
            f"the agent ended without repeating {facts.unconsumed} side effect(s) that an earlier attempt made",
        )
    if end.kind is EndKind.RETURNED:
        return Verdict(RunState.SUCCEEDED)
    if end.code in ENOUGH or (end.code in NO_ANSWER and facts.answered):
        return Verdict(RunState.PARTIAL, end.code, end.message)
    return Verdict(RunState.FAILED, end.code or Code.AGENT_FAILED.value, end.message)


def count_open_effects(calls: Sequence[Row]) -> int:
    """Count the side effects under way that must not be sent twice, among the rows of a run's unfinished calls."""
    return sum(call["state"] == "open" and call["effect"] != "read" and not call["idempotent"] for call in calls)


def backoff_us(crashes: int) -> int:
    """Return how long a run waits after its n-th crash: 0.2, 0.8, 3.2, … seconds, at most 30."""
    return int(min(BACKOFF_US_MAX, BACKOFF_FIRST_US * BACKOFF_FACTOR ** min(crashes - 1, 10)))
