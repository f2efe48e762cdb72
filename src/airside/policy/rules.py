"""The shape of a policy file: rules with closed conditions, every one of which must hold for a rule to speak.

A condition that is left out holds always. New ones are new optional keys of Conditions, so that files keep theirs.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from airside.core.call import Effect
from airside.core.policy import Planned, Verdict
from airside.core.run import Role
from airside.policy.conditions import (
    Amount,
    ArgumentIs,
    Confidence,
    Count,
    Globs,
    Hours,
    Origins,
    Part,
    Path,
    Risk,
    RoleName,
    Sum,
    Taints,
    TextGlobs,
    known_zone,
    listed,
)

RULES_MAX = 10_000

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Stage = Literal["shadow", "alpha", "beta", "controlled", "general"]
_OF_MODELS = frozenset({"name", "then", "mode", "because", "models", "agents", "tenants", "callers"})


class Mode(StrEnum):
    """Whether what a rule or file says counts, or is only written down to see what it would do."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Conditions(Part):
    """What must hold, all of it. It is about tools unless it names `models`."""

    tools: Globs = ("*",)
    but_not: Globs | None = Field(default=None, description="tools that it is not about although `tools` fits")
    models: Globs | None = None
    effects: Annotated[tuple[Effect, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    reversible: bool | None = None
    declared: bool | None = Field(default=None, description="whether a person has confirmed the tool's manifest")
    agents: Globs | None = None
    tenants: Globs | None = None
    stages: Annotated[tuple[Stage, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    callers: Annotated[tuple[Role, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    arguments: dict[Path, ArgumentIs] | None = Field(default=None, min_length=1, max_length=50)
    amount: Amount | None = None
    sum: Sum | None = None
    count: Count | None = None
    origins: dict[RoleName, Origins] | None = Field(default=None, min_length=1)
    named: bool | None = Field(default=None, description="whether an argument is the user's own choice")
    plan: Annotated[tuple[Planned, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    taints: Taints | None = None
    leaves: Literal["any", "none"] | TextGlobs | None = Field(default=None, union_mode="left_to_right")
    confidence: Confidence | None = None
    risk: Risk | None = None
    time: Hours | None = None
    because: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.models is not None and (more := self.model_fields_set - _OF_MODELS):
            raise ValueError(f"a rule is about models or about tools: drop `{'`, `'.join(sorted(more))}`")
        return self


class Rule(Conditions):
    """One rule: what it says (`then`), of which calls, and why."""

    name: Name
    then: Verdict
    mode: Mode = Mode.ENFORCE
    approvals: int = Field(default=1, ge=1, le=5, description="different people who must agree")
    escalate: bool = Field(default=False, description="goes to a higher step of the escalation chain at once")

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.then is not Verdict.ASK and (self.approvals != 1 or self.escalate):
            raise ValueError("`approvals` and `escalate` belong to rules that ask")
        if self.models is not None and self.then is Verdict.ASK:
            raise ValueError("a model call cannot wait for a person: use `allow` or `deny`")
        for window in (self.sum, self.count):
            if window is not None and (window.at_most is None) == (self.then is Verdict.ALLOW):
                raise ValueError("sums and counts allow `at_most`, and ask or deny `above`")
        return self


class Never(Conditions):
    """What must never be allowed without a person, whatever the rules say: proved by `airside policy check`."""

    name: Name


class Rules(Part):
    """A whole policy. Tool calls that no rule allows are denied; `models` says the same or the opposite of model calls.

    Model calls are allowed unless told otherwise: they only read, are priced and budgeted, and a model without a known
    price is refused anyway. `otherwise` is for layers below the platform's: what they do not mention they leave to the
    platform, unless they deny it.
    """

    mode: Mode = Mode.ENFORCE
    models: Literal[Verdict.ALLOW, Verdict.DENY] = Verdict.ALLOW
    otherwise: Literal[Verdict.DENY, "leave"] | None = None
    time_zone: Annotated[str, AfterValidator(known_zone)] | None = None
    rules: tuple[Rule, ...] = Field(default=(), max_length=RULES_MAX)
    never: tuple[Never, ...] = Field(default=(), max_length=1_000)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for names in ([rule.name for rule in self.rules], [never.name for never in self.never]):
            twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
            if twice:
                raise ValueError(f"rules share the name {', '.join(sorted(twice))}")
        return self
