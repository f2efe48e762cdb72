"""Settings against failing dependencies, hanging neighbours and too much at once, and about telling operators."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from airside.config.fields import Count, Seconds, Section

Share = Annotated[float, Field(gt=0, le=1)]


class BreakerSettings(Section):
    """When a provider, a model or a tool is switched off because it fails, and for how long."""

    enabled: bool = True
    window_s: Seconds = Field(default=30.0, description="failures are counted over so long")
    calls_min: int = Field(default=20, ge=1, le=100_000, description="calls in the window before a share says anything")
    failure_share: Share = Field(default=0.5, description="share of failed calls that switches off")
    consecutive_failures: int = Field(default=5, ge=1, le=10_000, description="failures in a row that switch off")
    busy_answers: int = Field(default=5, ge=1, le=10_000, description="429 in a row that switch a model off")
    slow_call_s: Seconds | None = Field(default=None, description="an answer slower than this is slow; null is off")
    slow_share: Share = Field(default=0.8, description="share of slow answers that switches off")
    hang_s: Seconds = Field(default=5.0, description="a call given up by its caller after so long counts as a timeout")
    tool_errors_count: bool = Field(default=True, description="errors that a tool raises count, as a share only")
    cool_down_s: Seconds = Field(default=1.0, description="until the first trial")
    cool_down_factor: float = Field(default=2.0, ge=1, le=10, description="by which it grows with every failed trial")
    cool_down_s_max: Seconds = 5.0
    probes: int = Field(default=2, ge=1, le=100, description="trials in a row that must succeed")
    probe_lease_s: Seconds = Field(default=15.0, description="a trial without an end by then is given to another")


class BulkheadSettings(Section):
    """How much may be under way at once in one gateway process; more waits, within limits."""

    agent_calls_max: int = Field(default=256, ge=1, le=100_000, description="calls under way of one agent")
    tenant_calls_max: int = Field(default=1_000, ge=1, le=100_000, description="calls under way of one tenant")
    provider_calls_max: int = Field(default=1_000, ge=1, le=100_000, description="calls under way at one provider")
    waiting_max: int = Field(
        default=1_000, ge=0, le=100_000, description="calls of one agent that may wait for a place"
    )
    wait_s: Seconds = Field(default=30.0, description="how long a call waits for a place")


class ResilienceSettings(Section):
    """Breakers, bulkheads and the bound on retries."""

    breakers: BreakerSettings = BreakerSettings()
    bulkheads: BulkheadSettings = BulkheadSettings()
    retry_share: float = Field(default=0.2, ge=0, le=1, description="retries per call to a provider, on average")
    retries_free: int = Field(default=10, ge=0, le=10_000, description="retries that need no calls before them")


class Frequency(Section):
    """How often, for each of those who are told apart; null is no limit and zero lets nothing pass."""

    requests_per_minute: Count | None = None


class Rate(Frequency):
    """How often and how much."""

    tokens_per_minute: Count | None = None


class Rates(Section):
    """Limits of calls by who asks: each tenant, end user, API key and network address has its own."""

    tenant: Rate = Rate()
    user: Rate = Rate()
    key: Rate = Rate()
    address: Rate = Rate()


class SubmissionRates(Section):
    """Likewise for runs submitted, which have no tokens yet."""

    tenant: Frequency = Frequency()
    user: Frequency = Frequency()
    key: Frequency = Frequency()
    address: Frequency = Frequency()


class RateSettings(Section):
    """Rate limits, shared by all processes."""

    calls: Rates = Field(default=Rates(), description="calls to models and tools")
    submissions: SubmissionRates = Field(default=SubmissionRates(), description="runs submitted to the management API")
    trusted_proxies: list[str] = Field(
        default=[], description="networks whose X-Forwarded-For is believed, such as 10.0.0.0/8"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for network in value:
            ip_network(network)
        return value


class NoticeSettings(Section):
    """How operators are told what they should know."""

    webhook_url: SecretStr | None = Field(default=None, description="receives notices, signed like all webhooks")
    interval_s: Seconds = Field(default=60.0, description="the same notice is told at most once in this time")

    @field_validator("webhook_url")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value
