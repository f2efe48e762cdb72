"""Settings of policy: where the rules of each layer are, and how long approvals last."""

from pathlib import Path

from pydantic import Field

from airside.config.fields import Section


class PolicySettings(Section):
    """Where the rules are; without a file everything that has an effect is denied."""

    file: Path | None = Field(default=None, description="the platform's layer")
    tenants: dict[str, Path] = Field(default={}, description="a layer for each tenant that narrows the platform's")
    reload_s: float = Field(default=2.0, ge=0.1, le=3_600, description="how often the files are looked at")
    approval_decide_by_s: float = Field(default=86_400.0, gt=0, le=2_592_000, description="how long a reviewer has")
    approval_use_by_s: float = Field(default=3_600.0, gt=0, le=604_800, description="how long an approval may be used")
