"""May it: asks policy. A denial names the rules that spoke; an ask is left to the next step.

The agent's own code may want a person to see a call that policy allows (`x-airside-review`): the approval mechanisms of
frameworks end here. It can only make the verdict stricter.
"""

from typing import Final

from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.policy import Decision, Reason, Verdict
from airside.core.ports import Forward, Policy
from airside.pipeline.verdict import ToolOf, permitted

REVIEW_WISH: Final = "review"
_ASKED: Final = Reason(rule="agent", verdict=Verdict.ASK, because="the agent's own code wants a person to see it")


class Permit:
    """Lets only calls pass that policy allows or wants a person to see."""

    def __init__(self, policy: Policy, tool_of: ToolOf) -> None:
        self._policy = policy
        self._tool_of = tool_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its decision; raises `policy_denied`."""
        decision = self._policy.decide(call, self._tool_of(call))
        return await forward(permitted(call, _reviewed(decision) if REVIEW_WISH in call.wishes else decision))


def _reviewed(decision: Decision) -> Decision:
    """Return the decision with an ask in place of an allow."""
    if decision.verdict is not Verdict.ALLOW:
        return decision
    return replace(decision, verdict=Verdict.ASK, reasons=(*decision.reasons, _ASKED))
