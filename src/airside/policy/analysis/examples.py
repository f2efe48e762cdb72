"""Calls written down: what `policy test` reads and what proofs answer with. A written call can be put to the rules."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace
from pydantic import Field, field_validator

from airside.core.call import Call, CallKind, Effect
from airside.core.clock import SECOND_US
from airside.core.money import NanoUsd, usd
from airside.core.policy import Decision, Facts, Link, Origin, Planned
from airside.core.run import Identity, Role
from airside.core.tool import ArgumentRole, Tool
from airside.policy.arguments import leaves, role_of
from airside.policy.conditions import Part
from airside.policy.layers import LayeredPolicy
from airside.policy.rules import Stage
from airside.policy.windows import UNLIMITED

NOON_US = 1_767_614_400 * SECOND_US  # Monday, 2026-01-05T12:00Z


class WrittenCall(Part):
    """A call, the manifest of its tool if the catalogue does not have it, and the facts about it.

    `origins` are by path of argument; arguments that are not named there come from the prompt. `moved_usd` and
    `calls_before` are how every sum and count stands that the call falls under.
    """

    tool: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=200)
    agent: str = Field(default="agent", max_length=200)
    tenant: str = Field(default="default", max_length=200)
    arguments: dict[str, Any] = Field(default={})
    effect: Effect | None = None
    reversible: bool | None = None
    declared: bool | None = None
    amount_argument: str | None = None
    roles: dict[str, ArgumentRole] | None = None
    principal: dict[str, str] = Field(default={})
    caller: Role | None = None
    stage: Stage | None = None
    at: datetime | None = Field(default=None, description="with an offset: 2026-01-05T12:00:00+01:00")
    origins: dict[str, Origin] = Field(default={})
    plan: Planned = Planned.NO_PLAN
    taints: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    confidence: float | None = Field(default=None, ge=0, le=1)
    risk: float = Field(default=0.0, ge=0, le=1)
    moved_usd: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000_000)
    calls_before: int = Field(default=0, ge=0, le=1_000_000_000)
    moved: dict[str, int] = Field(default={}, description="sums by the beginning of their names, beats the two above")

    @field_validator("at")
    @classmethod
    def _has_an_offset(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("an instant needs an offset, such as 2026-01-05T12:00:00+01:00")
        return at

    def asked(self, catalogue: Mapping[str, Tool]) -> tuple[Call, Tool | None]:
        """Return the call, without how its sums stand, and its tool."""
        tool = None if self.model else self._tool(catalogue.get(self.tool))
        who = Identity(
            self.tenant, "run", 1, self.agent, "release", "subject", (), True, 0, (), self.principal, self.caller or ""
        )
        call = Call(
            call_id="call",
            kind=CallKind.MODEL if self.model else CallKind.TOOL,
            name=self.model or self.tool,
            token="",
            parts=(),
            effect=tool.effect if tool else Effect.READ,
            idempotent=False,
            timeout_s=1.0,
            identity=who,
            arguments=None if self.model else self.arguments,
            facts=self._facts(tool),
        )
        return call, tool

    def with_sums(self, policy: LayeredPolicy, catalogue: Mapping[str, Tool]) -> tuple[Call, Tool | None]:
        """Return the call with all its facts, and its tool."""
        call, tool = self.asked(catalogue)
        if tool is None:
            return call, tool
        moved = {counter.name: self._moved(counter.name, counter.amount) for counter in policy.counters(call, tool)}
        return replace(call, facts=replace(call.facts, moved=moved)), tool

    def decided(self, policy: LayeredPolicy, catalogue: Mapping[str, Tool]) -> Decision:
        """Return what a policy decides on the call."""
        return policy.decide(*self.with_sums(policy, catalogue))

    def _moved(self, name: str, amount: int) -> NanoUsd:
        for beginning, moved in self.moved.items():
            if name.startswith(beginning):
                return NanoUsd(min(moved, UNLIMITED))
        return usd(self.moved_usd) if amount != 1 else NanoUsd(self.calls_before)

    def _tool(self, known: Tool | None) -> Tool:
        tool = known or Tool(name=self.tool, description="", schema={})
        said: dict[str, Any] = {
            "effect": self.effect,
            "reversible": self.reversible,
            "declared": self.declared,
            "roles": self.roles,
        }
        said["amount_argument"] = self.amount_argument
        return replace(tool, **{key: value for key, value in said.items() if value is not None})

    def _facts(self, tool: Tool | None) -> Facts:
        links = []
        for path, _ in leaves("", self.arguments) if tool and self.arguments else ():
            role = role_of(tool, path) if tool else None
            links.append(Link(path, role or "", self.origins.get(path, Origin.PROMPT)))
        return Facts(
            at_us=NOON_US if self.at is None else int(self.at.timestamp() * SECOND_US),
            links=tuple(links),
            planned=self.plan,
            taints=self.taints,
            leaves=self.leaves,
            confidence=self.confidence,
            risk=self.risk,
            stage=self.stage or "",
            caller=self.caller or "",
        )

    def plain(self) -> dict[str, Any]:
        """Return what is said of the call, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)
