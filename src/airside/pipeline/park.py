"""A run whose dependency is switched off waits without a worker, and goes on when the breaker closes (E4).

Around `fallback` and `retry`: only what none of them could answer comes here. Callers that nobody can make wait get the
refusal, with the time after which to ask again.
"""

from airside.core.call import Call, Outcome
from airside.core.dependencies import SHARED, Dependency
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward, Suspensions
from airside.pipeline.waiting import unanswered


class Park:
    """Parks supervised runs at an open breaker."""

    def __init__(self, suspensions: Suspensions) -> None:
        self._suspensions = suspensions

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on. At an open breaker a supervised run is parked, and this never returns."""
        try:
            return await forward(call)
        except AirsideError as error:
            name = error.details.get("breaker")
            if error.code is not Code.BREAKER_OPEN or not isinstance(name, str) or not call.who.supervised:
                raise
            owner = SHARED if error.details.get("shared") else call.who.tenant_id
            await self._suspensions.park(call.who, Dependency(owner, name), error.message)
            return await unanswered()
