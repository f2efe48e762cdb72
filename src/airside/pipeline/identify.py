"""Who is asking, and may they still: the first step, so that a kill or an ended attempt stops replays as well."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward, Identities

ACTOR_WISH: Final = "actor"
ACTOR_CHARS_MAX: Final = 100


class Identify:
    """Resolves the bearer token; refuses killed runs and runs whose time is used up."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its identity.

        Raises `unauthenticated`, `attempt_superseded`, `killed`, `cancelled`, and `budget_exhausted` with the dimension
        `wall_seconds` once the run's deadline has passed.
        """
        identity = await self._identities.resolve(call.token, call.run_header)
        self._identities.check(identity, call.kind, call.name)
        over_us = self._clock.now_us() - identity.deadline_us
        if over_us >= 0:
            raise AirsideError(
                Code.BUDGET_EXHAUSTED,
                f"run {identity.run_id} has used its running time (over by {over_us / SECOND_US:.1f} s)",
                details={"node": f"run:{identity.run_id}", "dimension": "wall_seconds"},
            )
        outcome = await forward(replace(call, identity=identity, notes=_noted(call)))
        return replace(outcome, run_id=identity.run_id)


def _noted(call: Call) -> Mapping[str, Any]:
    """Return the call's notes with the name of the agent inside the run that makes it, where its framework has several.

    The name is the run's own word, `x-airside-actor`: it tells of handoffs, and no rule relies on it.
    """
    actor = call.wishes.get(ACTOR_WISH, "")[:ACTOR_CHARS_MAX]
    return {**call.notes, "actor": actor} if actor else call.notes
