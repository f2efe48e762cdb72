"""Settings of routing and of fallbacks: what models can do, who is routed, and what happens when a model cannot."""

import re
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from airside.config.fields import Section, Usd

Tier = Literal["small", "balanced", "frontier", "specialised"]
CHAIN_MAX = 8
PATTERN_CHARS_MAX = 500


class RoutedModel(Section):
    """A model that calls may be routed to: one of `models`, or of the default provider."""

    tier: Tier
    domain: str = Field(default="", description="what a `specialised` model is for, a name under routing.domains")
    tools: bool = True
    images: bool = False
    documents: bool = False
    json_schema: bool = True
    reasoning: bool = Field(default=True, description="it takes a reasoning effort or budget")
    context_tokens: int = Field(default=0, ge=0, le=100_000_000, description="0: as `models` or the price list say")

    @model_validator(mode="after")
    def _specialised_in_something(self) -> Self:
        if (self.tier == "specialised") != bool(self.domain):
            raise ValueError("`domain` is given for the tier `specialised`, and for no other")
        return self


class CascadeSettings(Section):
    """Try the cheaper model, check its answer, and go to the better one if it does not pass."""

    enabled: bool = False
    judge: str = Field(default="", description="model that says whether an answer is good; empty: rules only")
    judge_min: float = Field(default=0.7, ge=0, le=1, description="least mark of the judge")
    agreement: bool = Field(default=False, description="ask the cheaper model twice; its answers must agree")
    answer_chars_min: int = Field(default=1, ge=0, le=100_000)
    time_share: float = Field(default=0.5, gt=0, lt=1, description="share of a call's time for trying and checking")


class ShadowSettings(Section):
    """Send a share of calls to another model too, deliver nothing of it, and compare."""

    model: str = Field(default="", description="the candidate; empty is no shadow")
    share: float = Field(default=0.02, ge=0, le=1)
    usd_per_day: Usd = Field(default=Decimal(1), description="what a tenant's shadow calls may cost in a day")
    judge: str = Field(default="", description="model that compares both answers; empty: their words are compared")


class RoutingSettings(Section):
    """Which model answers a call. `agents` and callers choose: off, auto, a tier, or a model."""

    models: dict[str, RoutedModel] = Field(default={}, description="which models calls may be routed to")
    agents: dict[str, str] = Field(default={}, description="per agent: off | auto | small | balanced | frontier")
    domains: dict[str, list[str]] = Field(default={}, description="words by which a domain's prompts are known")
    quality_floor: float = Field(default=0.95, gt=0, le=1, description="share of the strongest model's quality kept")
    familiar_min: float = Field(default=0.5, ge=0, le=1, description="share of known words below which it is cautious")
    cascade: CascadeSettings = CascadeSettings()
    shadow: ShadowSettings = ShadowSettings()

    @field_validator("agents")
    @classmethod
    def _known_modes(cls, agents: dict[str, str]) -> dict[str, str]:
        for name, mode in agents.items():
            if mode not in MODES:
                raise ValueError(f"{name}: {mode!r} is none of {', '.join(MODES)}")
        return agents

    @model_validator(mode="after")
    def _known_domains(self) -> Self:
        for name, model in self.models.items():
            if model.domain and model.domain not in self.domains:
                raise ValueError(f"models.{name}.domain: {model.domain!r} is not described under `domains`")
        return self


MODES = ("off", "auto", "small", "balanced", "frontier")


class FallbackRule(Section):
    """An answer by rule: if the last turn of the user matches, this is said. It is labelled as no model's answer."""

    pattern: str = Field(max_length=PATTERN_CHARS_MAX, description="regular expression, case ignored")
    answer: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern


class FallbackSettings(Section):
    """What happens when a model cannot answer, in this order: other models, a rule, a person, a safe answer."""

    chains: dict[str, list[str]] = Field(default={}, description="per model, or `*`: the models to try, in order")
    rules: list[FallbackRule] = Field(default=[], max_length=200)
    human: bool = Field(default=False, description="a supervised run is given to a person (state `escalated`)")
    safe_answer: str = Field(default="", description="what is said when nothing else is left; empty: an error")

    @field_validator("chains")
    @classmethod
    def _short(cls, chains: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, chain in chains.items():
            if len(chain) > CHAIN_MAX:
                raise ValueError(f"{name}: {len(chain)} models; at most {CHAIN_MAX}")
        return chains
