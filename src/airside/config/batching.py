"""Settings of calls that are made together, and of hours in which work that can wait is done."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from airside.config.fields import Seconds, Section

DayTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class BatchingSettings(Section):
    """Similar questions as one model call, for callers that send `x-airside-batch: group`."""

    enabled: bool = True
    window_ms: int = Field(default=30, ge=1, le=10_000, description="how long the first of a group waits for others")
    calls_max: int = Field(default=16, ge=2, le=100, description="questions asked at once")


class OffPeakSettings(Section):
    """When runs that were submitted with `window: off_peak` may begin, in `time_zone`."""

    start: DayTime = Field(default="20:00", description="every day from then on; equal to `end` is the whole day")
    end: DayTime = Field(default="06:00", description="until then")
    weekends: bool = Field(default=True, description="Saturdays and Sundays are off-peak as a whole")


class BatchesSettings(Section):
    """Questions handed to a provider's batch API, which answers within a day."""

    price_share: Decimal = Field(default=Decimal("0.5"), gt=0, le=1, description="of the list price that is charged")
    items_max: int = Field(default=10_000, ge=1, le=10_000, description="questions in one batch")
    poll_s: Seconds = Field(default=30, description="how soon a young batch is looked at again")
    poll_max_s: Seconds = Field(default=600, description="how soon an old one is")
