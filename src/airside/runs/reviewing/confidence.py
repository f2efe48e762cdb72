"""How sure an agent is, and what that has been worth: bands of confidence, calibrated on what reviewers decided (F9).

What an agent says of itself is untrusted input. It counts for nothing until enough of its calls of the same tool were
decided by people, and then for what those decisions say. Some calls' confidence is withheld, so that policy sends them
to people whatever it is: else nobody would ever see again how good the confident ones are.
"""

import hashlib
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from airside.config.approvals import ConfidenceSettings, ConfidenceSource
from airside.core.call import Call
from airside.core.clock import Clock
from airside.core.lru import Lru
from airside.core.policy import Facts
from airside.core.ports import Database, Transaction
from airside.core.tool import Tool
from airside.journal.queries import load
from airside.runs.reviewing import isotonic

_SQL = load("airside.runs.reviewing", "confidence.sql")

WISH: Final = "confidence"
FRESH_S: Final = 60.0
SAMPLES_MAX: Final = 5_000
KEPT_MAX: Final = 1_000
EXECUTE_ABOVE: Final = 0.9
ESCALATE_BELOW: Final = {"default": 0.6, "finance": 0.8}
_SOURCE_OF_NONE: Final = ConfidenceSource()


class Band(StrEnum):
    """What a confidence means; policy files say the same in rules."""

    EXECUTE = "execute"
    REVIEW = "review"
    ESCALATE = "escalate"
    UNKNOWN = "unknown"


def band(confidence: float | None, profile: str = "default") -> Band:
    """Return the band: above 0.9 execute, below 0.6 (finance: 0.8) escalate, review from there to 0.9 inclusive."""
    if confidence is None:
        return Band.UNKNOWN
    if confidence > EXECUTE_ABOVE:
        return Band.EXECUTE
    return Band.ESCALATE if confidence < ESCALATE_BELOW[profile] else Band.REVIEW


def said(call: Call, source: ConfidenceSource) -> float | None:
    """Return what the agent says of this call, if it says a number from 0 to 1 where it is to say it."""
    value: Any = (call.arguments or {}).get(source.argument) if source.argument else None
    if value is None and source.header:
        try:
            value = float(call.wishes.get(WISH, ""))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 and math.isfinite(value) else None


class _Known(Struct, frozen=True):
    """A calibration, and until when it is believed without asking again."""

    curve: isotonic.Curve | None
    until_s: float


class Calibrations:
    """Implements `ports.Witness`: says of a call what its agent's confidence is worth, or nothing."""

    def __init__(self, database: Database, clock: Clock, settings: ConfidenceSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._known: Lru[tuple[str, str, str], _Known] = Lru(KEPT_MAX)

    async def __call__(self, call: Call, tool: Tool, facts: Facts) -> Facts:
        """Return the facts with a calibrated confidence, if there is one."""
        return replace(facts, confidence=await self.of(call, tool))

    def raw(self, call: Call) -> float | None:
        """Return what the agent says of this call."""
        return said(call, self._source(call.who.agent))

    def profile(self, agent: str) -> str:
        """Return the profile of an agent: `default` or `finance`."""
        return self._source(agent).profile

    async def of(self, call: Call, tool: Tool) -> float | None:
        """Return the share of calls like this one, at its agent's confidence, that people approved as proposed."""
        raw = self.raw(call)
        if raw is None or self._withheld(call):
            return None
        curve = await self._curve(call.who.tenant_id, call.who.agent, tool.name)
        return None if curve is None else curve.at(raw)

    async def samples(self, tenant_id: str, agent: str, tool: str) -> Sequence[isotonic.Sample]:
        """Return the latest decisions of people on calls that came with a confidence, at most 5,000."""

        async def body(tx: Transaction) -> list[isotonic.Sample]:
            rows = await tx.fetch(_SQL["samples"], tenant_id=tenant_id, agent=agent, tool=tool, n=SAMPLES_MAX)
            return [isotonic.Sample(row["confidence"], bool(row["good"])) for row in rows]

        return await self._database.read(body)

    async def report(self, tenant_id: str, agent: str, tool: str) -> dict[str, Any]:
        """Return the data of a reliability diagram, as said and as calibrated."""
        samples = await self.samples(tenant_id, agent, tool)
        curve = isotonic.fit(samples, samples_min=self._settings.samples_min)
        calibrated = [isotonic.Sample(curve.at(sample.said), sample.good) for sample in samples] if curve else []
        return {
            "agent": agent,
            "tool": tool,
            "samples": len(samples),
            "samples_min": self._settings.samples_min,
            "calibrated": curve is not None,
            "said": isotonic.reliability(samples),
            "worth": isotonic.reliability(calibrated),
            "curve": [{"from": block.least, "worth": block.value, "samples": block.count} for block in curve.blocks]
            if curve
            else [],
        }

    def _source(self, agent: str) -> ConfidenceSource:
        return self._settings.agents.get(agent, _SOURCE_OF_NONE)

    def _withheld(self, call: Call) -> bool:
        """Whether this call's confidence is withheld; the same for every attempt of its run."""
        name = f"{call.who.run_id}/{call.request_hash.hex()}".encode()
        drawn = int.from_bytes(hashlib.sha256(name).digest()[:8]) / 2**64
        return drawn < self._settings.review_share

    async def _curve(self, tenant_id: str, agent: str, tool: str) -> isotonic.Curve | None:
        key, now_s = (tenant_id, agent, tool), self._clock.monotonic_s()
        known = self._known.get(key)
        if known is None or known.until_s <= now_s:
            samples = await self.samples(*key)
            known = _Known(isotonic.fit(samples, samples_min=self._settings.samples_min), now_s + FRESH_S)
            self._known.put(key, known)
        return known.curve
