"""What is known: gathers the facts that rules look at beside the request, before policy is asked.

Each witness knows one thing (where arguments come from, what has been moved today, how sure the agent is). One that
fails stops the call: a rule that was not told is not asked.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.clock import Clock
from airside.core.policy import Facts
from airside.core.ports import Forward, Witness
from airside.pipeline.verdict import ToolOf


class Evidence:
    """Asks the witnesses in their order, each of which sees what those before it have said."""

    def __init__(self, witnesses: Sequence[Witness], tool_of: ToolOf, clock: Clock) -> None:
        self._witnesses = tuple(witnesses)
        self._tool_of = tool_of
        self._clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its facts."""
        return await forward(await self.gathered(call))

    async def gathered(self, call: Call) -> Call:
        """Return a call of a known tool with its facts; other calls have none."""
        tool = self._tool_of(call)
        if tool is None:
            return call
        facts = Facts(at_us=self._clock.now_us())
        for witness in self._witnesses:
            facts = await witness(call, tool, facts)
        return replace(call, facts=facts)
