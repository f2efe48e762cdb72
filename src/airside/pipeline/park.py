"""A run whose dependency is switched off waits without a worker, and goes on when the breaker closes (E4).

Around `fallback` and `retry`: only what none of them could answer comes here. Callers that nobody can make wait get the
refusal, with the time after which to ask again.
"""

from airside.core.call import Call, Outcome
from airside.core.dependencies import SHARED, Breakers, DependenciesOf, Dependency
from airside.core.errors import AirsideError, Code, MaxRetriesExceeded
from airside.core.ports import Forward, Suspensions
from airside.pipeline.waiting import unanswered


class Park:
    """Parks supervised runs at an open breaker."""

    def __init__(self, suspensions: Suspensions, breakers: Breakers, dependencies_of: DependenciesOf) -> None:
        self._suspensions = suspensions
        self._breakers = breakers
        self._dependencies_of = dependencies_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on. At an open breaker a supervised run is parked, and this never returns."""
        try:
            return await forward(call)
        except AirsideError as error:
            dependency = self._waits_for(call, error) if call.who.supervised else None
            if dependency is None:
                raise
            await self._suspensions.park(call.who, dependency, error.message)
            return await unanswered()

    def _waits_for(self, call: Call, error: AirsideError) -> Dependency | None:
        """Return the dependency whose breaker refused the call, or opened while it was tried in vain."""
        name = error.details.get("breaker")
        if error.code is Code.BREAKER_OPEN and isinstance(name, str):
            return Dependency(SHARED if error.details.get("shared") else call.who.tenant_id, name)
        if not isinstance(error, MaxRetriesExceeded):
            return None
        off = (each for each in self._dependencies_of(call) if not self._breakers.closed((each,)))
        return next(off, None)
