"""What a decision means for a call: the one place that turns a verdict of policy into a refusal."""

from collections.abc import Callable

from msgspec.structs import replace

from airside.core.call import Call
from airside.core.errors import Code
from airside.core.policy import Decision, Verdict
from airside.core.tool import Tool
from airside.pipeline.refusal import Refusal

ToolOf = Callable[[Call], Tool | None]
"""Finds the manifest of the tool a call names, as the caller's agent sees it; None for models and unknown tools."""


def permitted(call: Call, decision: Decision) -> Call:
    """Return the call with a decision that does not deny it; raises `policy_denied` for one that does."""
    call = replace(call, decision=decision)
    if decision.verdict is Verdict.DENY:
        raise Refusal(call, Code.POLICY_DENIED, denial(decision), details={"rules": rule_names(decision)})
    return call


def denial(decision: Decision) -> str:
    """Return why a call was denied, for the agent and for people."""
    said = "; ".join(f"{reason.rule}: {reason.because}" for reason in decision.reasons)
    return f"policy does not allow this call ({said})"


def rule_names(decision: Decision) -> str:
    """Return the rules that spoke, separated by commas."""
    return ",".join(reason.rule for reason in decision.reasons)
