"""Verdicts from inside the pipeline: written beside the call, which never waits for them nor fails by them."""

import structlog

from airside.core.call import Call
from airside.core.errors import AirsideError
from airside.gateways.models.routing.outcomes import Outcomes
from airside.pipeline.afterwork import Afterwork

PENDING_MAX = 1_000
_log = structlog.get_logger(__name__)


class Verdicts:
    """Hands verdicts on to the database, as long as not too many wait."""

    def __init__(self, outcomes: Outcomes, afterwork: Afterwork) -> None:
        self._outcomes = outcomes
        self._afterwork = afterwork

    def say(self, call: Call, model: str, score: float, *, source: str) -> None:
        """Note how good a model's answer to a call was, soon; dropped, and logged, if the database cannot take it."""
        if self._afterwork.pending < PENDING_MAX:
            self._afterwork.start(self._write(call, model, score, source))

    async def _write(self, call: Call, model: str, score: float, source: str) -> None:
        who = call.who
        try:
            await self._outcomes.say(who.tenant_id, who.run_id, call.call_id, model, score, source=source, by="airside")
        except AirsideError as error:
            _log.warning("verdict_dropped", call_id=call.call_id, code=error.code.value)
