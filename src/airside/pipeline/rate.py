"""Too fast: requests and tokens per minute, by tenant, end user, key and network address (B17).

After replay, so that what is answered from the journal counts for nobody. The tokens that a call may need are taken at
first, and what it did not use is given back.
"""

from hashlib import sha256

from airside.core.call import Call, Outcome
from airside.core.dependencies import Asker, RateLimits
from airside.core.errors import AirsideError
from airside.core.ports import Forward
from airside.pipeline.refusal import Refusal

KEY_PREFIX = "ak_"


class Rate:
    """Lets calls pass as fast as their callers may go."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on; raises `rate_limited` with the time to wait."""
        if not self._limits.limited:
            return await forward(call)
        tokens = call.need.tokens(call.need.output_tokens)
        try:
            taken = await self._limits.take(asker_of(call), tokens)
        except AirsideError as error:
            raise Refusal.of(call, error) from None
        try:
            outcome = await forward(call)
        except AirsideError as error:
            if not error.recorded:
                taken.settle(0)  # it did not leave
            raise
        if outcome.metered:
            taken.settle(outcome.usage.total)
        return outcome


def asker_of(call: Call) -> Asker:
    """Return who is asking.

    A run that stands for itself is no user, a run's token no key that lasts, and its address that of airside's worker.
    """
    who = call.who
    user = "" if who.subject == who.run_id else who.subject
    key = sha256(call.token.encode()).hexdigest()[:32] if call.token.startswith(KEY_PREFIX) else ""
    return Asker(who.tenant_id, user, key, "" if who.supervised else call.peer)
