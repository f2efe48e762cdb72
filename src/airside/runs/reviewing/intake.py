"""What is noted when an approval is asked for: its risk, who must agree, where it stands in the chain, who is told."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from airside.config.approvals import ApprovalSettings
from airside.core.call import Call
from airside.core.ids import new_id
from airside.core.policy import Decision
from airside.core.ports import Transaction
from airside.core.tool import Tool
from airside.journal.queries import load
from airside.runs.reviewing import chain
from airside.runs.reviewing.agreement import dollars, required
from airside.runs.reviewing.confidence import Band, Calibrations, band
from airside.runs.reviewing.risk import factors, rank_us

_SQL = load("airside.runs.reviewing", "reviewing.sql")


class Noted(Struct, frozen=True):
    """The columns of a new approval that say how it is to be reviewed."""

    columns: Mapping[str, Any]
    manifest: bytes
    notify: Sequence[tuple[int, str]]


class Intake:
    """Judges new approvals."""

    def __init__(self, settings: ApprovalSettings, calibrations: Calibrations) -> None:
        self._settings = settings
        self._calibrations = calibrations

    def note(self, call: Call, decision: Decision, tool: Tool | None, now_us: int) -> Noted:
        """Return what is noted of a call that policy wants a person to see. Without a manifest it is at its worst."""
        seen = tool or Tool(name=call.name, description="", schema={}, effect=call.effect)
        profile, calibrated = self._calibrations.profile(call.who.agent), call.facts.confidence
        unsure = band(calibrated, profile) is Band.ESCALATE
        amount = dollars(seen, call.arguments)
        points = factors(
            seen.effect,
            reversible=seen.reversible,
            amount=amount,
            links=decision.links or call.facts.links,
            leaves=call.facts.leaves,
            unsure=unsure,
        )
        risk = sum(points.values())
        escalated = unsure or any(reason.escalate for reason in decision.reasons)
        place = chain.begin(self._settings.escalation, now_us, escalated=escalated)
        manifest = msgspec.json.encode(tool, order="sorted") if tool else b""
        columns = {
            "risk": risk,
            "rank_us": rank_us(now_us, risk),
            "about": json.dumps({"factors": dict(points), "profile": profile, "facts": _facts(call)}),
            "tool_hash": hashlib.sha256(manifest).digest() if manifest else None,
            "required": required(
                decision, self._settings.two_person, agent=call.who.agent, tool=call.name, amount=amount
            ),
            **msgspec.structs.asdict(place),
            "confidence": self._calibrations.raw(call),
            "calibrated": calibrated,
        }
        told = [
            (number + 1, target)
            for number in range(place.floor, place.step)
            for target in self._settings.escalation[number].notify
        ]
        return Noted(columns, manifest, told)


async def keep_manifest(tx: Transaction, tenant_id: str, noted: Noted) -> None:
    """Keep the tool's manifest as it is now, once."""
    if noted.manifest:
        await tx.execute(
            _SQL["add_tool"],
            tenant_id=tenant_id,
            tool_hash=noted.columns["tool_hash"],
            manifest=noted.manifest.decode(),
        )


async def tell(
    tx: Transaction, tenant_id: str, approval_id: str, notify: Sequence[tuple[int, str]], due_us: int
) -> None:
    """Put notices into the outbox: to whom, and for which step of the chain."""
    for step, target in notify:
        await tx.execute(
            _SQL["add_notice"],
            tenant_id=tenant_id,
            notice_id=new_id("ntc"),
            approval_id=approval_id,
            step=step,
            target=target,
            due_us=due_us,
        )


def _facts(call: Call) -> dict[str, Any]:
    """Return the facts without what is kept elsewhere: links in the decision, sums in the counters."""
    facts = call.facts
    return {
        "planned": facts.planned.value,
        "taints": list(facts.taints),
        "leaves": list(facts.leaves),
        "confidence": facts.confidence,
        "risk": facts.risk,
        "stage": facts.stage,
        "caller": facts.caller,
    }
