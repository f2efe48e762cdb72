"""The drills. Each makes a failure happen for real and says whether this configuration contains it."""

import time
from decimal import Decimal
from typing import Any

from msgspec import Struct

from airside.cli.throwaway import Conversation, Run

UNCONTAINED_USD = Decimal(50)
EXPECTED_USD = Decimal("0.10")
FRAGILE = STEADY = 6
CONTAINED_S_MAX = 45.0
STILL = frozenset({"parked", "failed", "partial"})


class Finding(Struct, frozen=True):
    """What came of a drill: whether the failure was contained, in words, and the figures."""

    drill: str
    contained: bool
    told: str
    figures: dict[str, Any]


def runaway_cost(stage: Conversation) -> Finding:
    """An agent of which ten cents are expected asks a dear model without end."""
    run = stage.ended(stage.submit("spender", "The quarterly report."))
    spent = Decimal(run["budget"]["usd"]["spent"])
    contained = run["state"] == "partial" and spent < UNCONTAINED_USD
    told = (
        f"An agent in an endless loop, of which ${EXPECTED_USD} was expected, ended {run['state']} after spending"
        f" ${spent:.4f} ({_why(run)})."
    )
    return Finding("runaway-cost", contained, told, {"spent_usd": str(spent), "state": run["state"]})


def context_overflow(stage: Conversation) -> Finding:
    """A conversation grows to several times the model's window."""
    run = stage.ended(stage.submit("reader", "File all notes of the inspection."))
    contained = run["state"] == "succeeded"
    told = f"A conversation of three times the model's window ended {run['state']}" + (
        ", shortened where it had to be." if contained else f" ({_why(run)}). See context.mode."
    )
    return Finding("context-overflow", contained, told, {"state": run["state"]})


def cascading_failure(stage: Conversation) -> Finding:
    """A provider is down; agents that need it meet agents that do not."""
    started = time.monotonic()
    fragile = [stage.submit("fragile", f"Task {number}.") for number in range(FRAGILE)]
    steady = [stage.ended(stage.submit("steady", f"Task {number}.")) for number in range(STEADY)]
    steady_s = time.monotonic() - started
    stopped = [_stopped(stage, run_id) for run_id in fragile]
    unharmed = sum(run["state"] == "succeeded" for run in steady)
    contained = unharmed == STEADY and steady_s < CONTAINED_S_MAX
    states = sorted(run["state"] for run in stopped)
    told = (
        f"While a provider was down, {unharmed} of {STEADY} runs that do not need it succeeded (in {steady_s:.1f} s);"
        f" those that need it are {', '.join(dict.fromkeys(states))}."
    )
    figures = {"unharmed": unharmed, "of": STEADY, "seconds": round(steady_s, 1), "fragile": states}
    return Finding("cascading-failure", contained, told, figures)


DRILLS = {
    "runaway-cost": runaway_cost,
    "context-overflow": context_overflow,
    "cascading-failure": cascading_failure,
}


def _stopped(stage: Conversation, run_id: str) -> Run:
    """Return a run once it no longer tries."""
    run: Run = stage.until(lambda: stage.run(run_id), lambda seen: seen["state"] in STILL, f"run {run_id} to stop")
    return run


def _why(run: Run) -> str:
    result = run.get("result")
    reason = result.get("reason") if isinstance(result, dict) else None
    return str(reason or run.get("message") or "it gave up by itself")
