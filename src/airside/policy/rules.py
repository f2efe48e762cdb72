"""The shape of a policy file: rules with closed conditions, every one of which must hold for a rule to speak.

A condition that is left out holds always. New conditions are new optional keys of Rule, so that files keep theirs.
"""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airside.core.call import Effect
from airside.core.policy import Verdict

RULES_MAX = 10_000

Glob = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]


class Part(BaseModel):
    """A piece of the file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Amount(Part):
    """Limits on the dollars a tool call moves: `above` excludes its own value, `at_most` includes it.

    An amount that cannot be read exactly counts as above everything, and no allowing rule holds for it.
    """

    above: Dollars | None = None
    at_most: Dollars | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.above is None and self.at_most is None:
            raise ValueError("give `above`, `at_most` or both")
        if self.above is not None and self.at_most is not None and self.above >= self.at_most:
            raise ValueError("`above` must be less than `at_most`")
        return self


class Rule(Part):
    """One rule: what it says (`then`), of which calls, and why. It is about tools unless it names `models`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    then: Verdict
    tools: tuple[Glob, ...] = Field(default=("*",), min_length=1, max_length=1_000)
    models: tuple[Glob, ...] | None = Field(default=None, min_length=1, max_length=1_000)
    effects: tuple[Effect, ...] | None = Field(default=None, min_length=1)
    agents: tuple[Glob, ...] | None = Field(default=None, min_length=1, max_length=1_000)
    amount: Amount | None = None
    because: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.models is not None:
            if {"tools", "effects", "amount"} & self.model_fields_set:
                raise ValueError("a rule is about models or about tools: drop `tools`, `effects` and `amount`")
            if self.then is Verdict.ASK:
                raise ValueError("a model call cannot wait for a person: use `allow` or `deny`")
        return self


class Rules(Part):
    """A whole policy. Tool calls that no rule allows are denied; `models` says the same or the opposite of model calls.

    Model calls are allowed unless told otherwise: they only read, are priced and budgeted, and a model without a known
    price is refused anyway.
    """

    models: Literal[Verdict.ALLOW, Verdict.DENY] = Verdict.ALLOW
    rules: tuple[Rule, ...] = Field(default=(), max_length=RULES_MAX)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
        if twice:
            raise ValueError(f"rules share the name {', '.join(sorted(twice))}")
        return self
