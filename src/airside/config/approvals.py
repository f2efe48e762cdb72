"""Settings of the review queue: who decides, who is told and when, what two must agree to, and how sure is sure."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from airside.config.fields import Seconds, Section

STEPS_MAX = 20
Name = Annotated[str, Field(min_length=1, max_length=100)]
Share = Annotated[float, Field(ge=0, le=1)]


class EscalationStep(Section):
    """A group of people that may decide from some time on, and who of them is told."""

    after_s: float = Field(default=0.0, ge=0, le=2_592_000, description="after the call was proposed")
    notify: list[Name] = Field(default=[], max_length=20, description="names under `approvals.targets`")
    reviewers: list[Name] = Field(default=[], max_length=100, description="names of API keys; empty is all of the role")
    role: Literal["reviewer", "operator", "admin"] = "reviewer"


class NotifyTarget(Section):
    """Where notices go, as an Apprise URL (Slack, e-mail, webhook, …)."""

    url: SecretStr
    reviewer: str = Field(default="", max_length=100, description="whose signed links it gets; empty is no links")


class TwoPerson(Section):
    """Calls that two people must agree to."""

    tools: list[Name] = Field(default=["*"], description="patterns of tool names")
    agents: list[Name] = Field(default=["*"], description="patterns of agent names")
    above_usd: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000_000, description="only above this amount")
    approvals: int = Field(default=2, ge=2, le=10)


class SeedSettings(Section):
    """Proposals that are known to be bad, put among the others to see who notices."""

    rate: float = Field(default=0.0, ge=0, le=0.5, description="per real proposal")
    file: Path | None = Field(default=None, description="JSON lines of bad proposals; else past denied ones are used")
    delay_s: float = Field(default=600.0, ge=0, le=86_400, description="one shows up at a random time up to this")


class ConfidenceSource(Section):
    """Where an agent's confidence in a call comes from. Either is the agent's own word until it is calibrated."""

    argument: str = Field(default="", max_length=200, description="argument of the call that holds it, 0 to 1")
    header: bool = Field(default=False, description="whether `x-airside-confidence` counts")
    profile: Literal["default", "finance"] = "default"


class ConfidenceSettings(Section):
    """How much an agent's confidence is worth, learned from what reviewers decided."""

    samples_min: int = Field(default=50, ge=10, le=100_000, description="decisions before it says anything")
    review_share: Share = Field(default=0.05, description="calls whose confidence is withheld, so that people see some")
    agents: dict[str, ConfidenceSource] = Field(default={})


class ApprovalSettings(Section):
    """The review queue."""

    targets: dict[str, NotifyTarget] = Field(default={})
    escalation: list[EscalationStep] = Field(default=[], max_length=STEPS_MAX)
    two_person: list[TwoPerson] = Field(default=[], max_length=100)
    four_eyes: list[Name] = Field(default=[], description="agents whose runs are not approved by who submitted them")
    link_url: str = Field(default="", pattern=r"^(https?://\S+)?$", description="airside as reviewers reach it")
    link_ttl_s: float = Field(default=3_600.0, gt=0, le=604_800, description="how long a signed link works")
    notify_timeout_s: Seconds = 10.0
    notify_tries_max: int = Field(default=8, ge=1, le=30)
    seeds: SeedSettings = SeedSettings()
    confidence: ConfidenceSettings = ConfidenceSettings()
