"""Settings of calls that are made together."""

from pydantic import Field

from airside.config.fields import Section


class BatchingSettings(Section):
    """Similar questions as one model call, for callers that send `x-airside-batch: group`."""

    enabled: bool = True
    window_ms: int = Field(default=30, ge=1, le=10_000, description="how long the first of a group waits for others")
    calls_max: int = Field(default=16, ge=2, le=100, description="questions asked at once")
