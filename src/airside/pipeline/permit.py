"""May it: asks policy. A denial names the rules that spoke; an ask is left to the next step."""

from airside.core.call import Call, Outcome
from airside.core.ports import Forward, Policy
from airside.pipeline.verdict import ToolOf, permitted


class Permit:
    """Lets only calls pass that policy allows or wants a person to see."""

    def __init__(self, policy: Policy, tool_of: ToolOf) -> None:
        self._policy = policy
        self._tool_of = tool_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its decision; raises `policy_denied`."""
        return await forward(permitted(call, self._policy.decide(call, self._tool_of(call))))
