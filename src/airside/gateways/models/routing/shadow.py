"""A share of calls is also sent to a candidate model: never delivered, never with an effect, on a budget of its own.

Shadow calls are asides under the budget node `shadow:TENANT@DAY`, which is their only one: they can never use up what a
run may spend. A model call has no effect by itself, and what a candidate asks of tools is not heard. The comparison is
written down for `airside routing report --shadow`.
"""

import hashlib
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from airside.config.routing import ShadowSettings
from airside.core.call import Call, CallState, Outcome
from airside.core.clock import SECOND_US, Clock
from airside.core.errors import AirsideError
from airside.core.money import usd
from airside.core.ports import Forward
from airside.gateways.models.asides import Asides
from airside.gateways.models.formats.port import BrokenAnswer
from airside.gateways.models.provider import Ask
from airside.gateways.models.routing.marks import mark_of_second
from airside.gateways.models.routing.outcomes import Outcomes, Shadowed
from airside.gateways.models.routing.seeing import last_words
from airside.gateways.models.routing.verify import agreement, text_of
from airside.pipeline.afterwork import Afterwork

IN_FLIGHT_MAX = 64
_log = structlog.get_logger(__name__)


class Shadow:
    """Sends shadow calls beside live ones."""

    def __init__(
        self, settings: ShadowSettings, asides: Asides, outcomes: Outcomes, afterwork: Afterwork, clock: Clock
    ) -> None:
        self._settings = settings
        self._asides = asides
        self._outcomes = outcomes
        self._afterwork = afterwork
        self._clock = clock
        self._in_flight = 0
        self._nodes: set[tuple[str, str]] = set()

    async def around(self, call: Call, forward: Forward) -> Outcome:
        """Return the live outcome; a shadow call is sent when it is there, and nobody waits for it."""
        outcome = await forward(call)
        chosen = self._settings.model and call.name != self._settings.model and self._drawn(call.call_id)
        if chosen and outcome.state is CallState.OK and self._in_flight < IN_FLIGHT_MAX:
            self._in_flight += 1
            self._afterwork.start(self._compare(call, outcome))
        return outcome

    def _drawn(self, call_id: str) -> bool:
        """Whether a call is in the sample: by its id, so that it can be told afterwards."""
        drawn = int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:8])
        return drawn < self._settings.share * 2**64

    async def _compare(self, call: Call, live: Outcome) -> None:
        try:
            await self._compared(call, live)
        except (AirsideError, BrokenAnswer) as error:
            code = error.code.value if isinstance(error, AirsideError) else "broken"
            _log.info("shadow_call_failed", call_id=call.call_id, candidate=self._settings.model, code=code)
        finally:
            self._in_flight -= 1

    async def _compared(self, call: Call, live: Outcome) -> None:
        ask: Ask = call.payload
        tenant_id, node = call.who.tenant_id, self._node(call.who.tenant_id)
        if (tenant_id, node) not in self._nodes:
            await self._outcomes.open_budget(tenant_id, node, usd(self._settings.usd_per_day))
            self._nodes = {known for known in self._nodes if known[0] != tenant_id} | {(tenant_id, node)}
        apart = replace(call, identity=replace(call.who, budget_path=(node,)))
        other = await self._asides.send(apart, ask.request, model=self._settings.model, purpose="shadow")
        read = ask.request.format.answer
        one, two = read(live.body), read(other.body)
        if self._settings.judge:
            request = last_words(ask.request.prompt)
            mark = await mark_of_second(
                self._asides, apart, request, text_of(one), text_of(two), model=self._settings.judge
            )
        else:
            mark = agreement(one, two)
        await self._outcomes.shadowed(
            Shadowed(tenant_id, call.call_id, call.name, self._settings.model, mark, live.cost, other.cost)
        )

    def _node(self, tenant_id: str) -> str:
        day = datetime.fromtimestamp(self._clock.now_us() / SECOND_US, UTC)
        return f"shadow:{tenant_id}@{day:%Y-%m-%d}"
