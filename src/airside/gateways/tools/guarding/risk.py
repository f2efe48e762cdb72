"""Tells rules how risky a run is: what guards have found in it so far."""

from msgspec.structs import replace

from airside.core.call import Call
from airside.core.policy import Facts
from airside.core.tool import Tool
from airside.guards.ports import Risks


class RiskWitness:
    """Implements `ports.Witness`."""

    def __init__(self, risks: Risks) -> None:
        self._risks = risks

    async def __call__(self, call: Call, tool: Tool, facts: Facts) -> Facts:
        """Return the facts with the run's risk, whatever the tool; raises `journal_unavailable` if it is not known."""
        del tool
        return replace(facts, risk=await self._risks.of(call.who))
