"""Is there room: bounds on how many calls of an agent, of a tenant and at a provider are under way at once (E8).

A place is held while a call is made, not while it waits for a person or between two tries; and nothing is reserved
while it waits for a place.
"""

from airside.core.call import Call, Outcome
from airside.core.dependencies import SHARED, Bulkheads, DependenciesOf
from airside.core.errors import AirsideError
from airside.core.ports import Forward
from airside.pipeline.refusal import Refusal


class Bulkhead:
    """Makes each call take a place for as long as it is made."""

    def __init__(self, bulkheads: Bulkheads, dependencies_of: DependenciesOf) -> None:
        self._bulkheads = bulkheads
        self._dependencies_of = dependencies_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on once there is room; raises `rate_limited` if there is none in time."""
        dependencies = () if call.ready is not None or call.local else self._dependencies_of(call)
        if not dependencies:
            return await forward(call)
        widest = dependencies[0]
        upstream = widest.name if widest.tenant_id == SHARED else ""
        try:
            leave = await self._bulkheads.enter(call.who.tenant_id, call.who.agent, upstream, call.timeout_s)
        except AirsideError as error:
            raise Refusal.of(call, error) from None
        try:
            return await forward(call)
        finally:
            leave()
