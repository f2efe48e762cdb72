"""Settings of guards: what follows from what they find, by guard, agent, stage and place."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from airside.config.fields import OffIsAWord, Section
from airside.config.guard_output import CheckSettings, HookSettings, LinkSettings, RepairSettings
from airside.config.judges import JudgeSettings
from airside.config.personal import PersonalSettings
from airside.config.spotlight import SpotlightSettings

GuardName = Literal[
    "secrets",
    "personal",
    "injection",
    "leakage",
    "exfiltration",
    "schema",
    "rules",
    "tools",
    "refusal",
    "toxicity",
    "groundedness",
]
PlaceName = Literal["system", "user", "history", "result", "description", "answer", "arguments"]
ModeName = Annotated[Literal["off", "observe", "flag", "tokenise", "redact", "block"], OffIsAWord]
Name = Annotated[str, Field(min_length=1, max_length=100)]
_MODES: Final[dict[GuardName, ModeName]] = {"secrets": "redact", "refusal": "observe"}


class GuardRule(Section):
    """What follows where everything that it names fits; what it leaves empty fits all."""

    guards: list[GuardName] = Field(default=[], max_length=20)
    kinds: list[Name] = Field(default=[], max_length=200, description="EMAIL, PERSON, SECRET, or rules of a guard")
    agents: list[Name] = Field(default=[], max_length=1_000)
    stages: list[Name] = Field(default=[], max_length=10)
    places: list[PlaceName] = Field(default=[], max_length=10)
    score_min: float = Field(default=0.0, ge=0, le=1, description="findings that are less sure are left to later rules")
    mode: ModeName


class RestoreRule(Section):
    """Tools whose arguments get real values back in the place of placeholders."""

    tools: list[Name] = Field(min_length=1, max_length=1_000, description="names; `*` stands for any text")
    kinds: list[Name] = Field(default=[], max_length=200, description="EMAIL, PERSON, …; empty is every kind")


class GuardSettings(Section):
    """Guards. The first of `rules` that fits a finding decides; if none does, the guard's own mode. docs/guards.md."""

    enabled: bool = True
    on_failure: Literal["block", "flag"] = Field(
        default="block", description="what a guard that fails does to the call"
    )
    modes: dict[GuardName, ModeName] = Field(default=_MODES, description="of findings that no rule fits; else `flag`")
    rules: list[GuardRule] = Field(default=[], max_length=500)
    restore: list[RestoreRule] = Field(
        default=[], max_length=500, description="tools that see values instead of placeholders; others get the text"
    )
    placeholders_max: int = Field(
        default=1_000, ge=0, le=100_000, description="values named in one run; beyond it they are redacted"
    )
    repair: RepairSettings = RepairSettings()
    checks: list[CheckSettings] = Field(default=[], max_length=200, description="business rules over answers")
    schemas: dict[Name, dict[str, Any]] = Field(
        default={}, max_length=1_000, description="JSON Schema of answers by agent, where requests name none"
    )
    links: LinkSettings = LinkSettings()
    hooks: list[HookSettings] = Field(default=[], max_length=20, description="checks of answers that others make")
    judges: list[JudgeSettings] = Field(
        default=[], max_length=20, description="slower opinions on texts that may try to give orders"
    )
    text_bytes_max: int = Field(
        default=16_777_216,
        ge=1_024,
        le=134_217_728,
        description="a longer text is refused: it cannot be checked in time",
    )
    verdicts_max: int = Field(default=20_000, ge=0, le=10_000_000, description="texts whose findings are remembered")
    spotlight: SpotlightSettings = SpotlightSettings()
    personal: PersonalSettings = PersonalSettings()

    @field_validator("modes")
    @classmethod
    def _others_stay(cls, value: dict[GuardName, ModeName]) -> dict[GuardName, ModeName]:
        """A mode for one guard leaves the others as they are: asking for placeholders must not let secrets through."""
        return {**_MODES, **value}
