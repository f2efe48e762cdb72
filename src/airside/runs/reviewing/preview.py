"""What would come of an edit, asked when it is saved: it must fit the tool, and policy must not forbid it.

This only spares a reviewer a disappointment. What counts is decided when the call is made: schema, facts and policy are
asked again there, as they are then.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from airside.core import canonical
from airside.core.call import Call, CallKind
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.policy import Decision, Facts, Link, Origin, Verdict
from airside.core.ports import Policy, Row
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.pipeline.verdict import denial, rule_names
from airside.runs.reviewing.agreement import dollars

Fits = Callable[[Mapping[str, Any], Any], None]
"""Raises AirsideError `invalid_arguments` unless arguments fit a JSON Schema."""


class Decided(Struct, frozen=True):
    """What policy says of an edit, and the dollars it moves (None: no money, infinite: they cannot be read)."""

    decision: Decision
    amount: Decimal | None


class Preview:
    """Judges edits by the manifest that was kept when the approval was asked for."""

    def __init__(self, fits: Fits, policy: Callable[[], Policy], clock: Clock) -> None:
        self._fits = fits
        self._policy = policy
        self._clock = clock

    def check(self, row: Row, manifest: bytes, proposed: Mapping[str, Any], edit: Mapping[str, Any]) -> Decided:
        """Return what policy says of an edit, and the dollars it moves.

        Raises `invalid_arguments` for an edit that does not fit, `policy_denied` for one that policy forbids.
        """
        tool = msgspec.json.decode(manifest, type=Tool)
        self._fits(tool.schema, edit)
        call = _call(row, tool, edit, self._facts(row, changed(proposed, edit)))
        decision = self._policy().decide(call, tool)
        if decision.verdict is Verdict.DENY:
            raise AirsideError(
                Code.POLICY_DENIED, f"as edited: {denial(decision)}", details={"rules": rule_names(decision)}
            )
        return Decided(decision, dollars(tool, edit))

    def _facts(self, row: Row, edited: frozenset[str]) -> Facts:
        """Return what was known at asking, with the reviewer standing for what they changed."""
        known = json.loads(row["about"]).get("facts", {})
        facts = msgspec.convert(known | {"at_us": self._clock.now_us()}, Facts)
        decision = msgspec.convert(json.loads(row["decision"]), Decision)
        links = tuple(_vouched(link, edited, row["approval_id"]) for link in decision.links)
        leaves = tuple(what for what in facts.leaves if _root(what.partition(":")[0]) not in edited)
        return msgspec.structs.replace(facts, links=links, leaves=leaves)


def changed(proposed: Mapping[str, Any], edit: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the arguments whose values differ, or that one of the two does not have."""
    return frozenset(
        name
        for name in proposed.keys() | edit.keys()
        if (name in proposed) != (name in edit) or canonical.encode(proposed[name]) != canonical.encode(edit[name])
    )


def _vouched(link: Link, edited: frozenset[str], approval_id: str) -> Link:
    if _root(link.argument) not in edited:
        return link
    return Link(link.argument, link.role, Origin.ENDORSED, source=approval_id)


def _root(path: str) -> str:
    return path.strip().partition(".")[0]


def _call(row: Row, tool: Tool, arguments: Mapping[str, Any], facts: Facts) -> Call:
    who = Identity(
        tenant_id=row["tenant_id"],
        run_id=row["run_id"],
        attempt=0,
        agent=row["agent"],
        release="",
        subject=row["subject"],
        budget_path=(),
        supervised=True,
        deadline_us=0,
        principal=json.loads(row["labels"]),
        caller=facts.caller,
    )
    return Call(
        call_id="",
        kind=CallKind.TOOL,
        name=tool.name,
        token="",
        parts=(canonical.encode(dict(arguments)),),
        effect=tool.effect,
        idempotent=tool.idempotent,
        timeout_s=tool.timeout_s,
        identity=who,
        arguments=arguments,
        facts=facts,
    )
