"""Every setting of airside: typed, with default, unit and limits. Read from airside.yaml and AIRSIDE_* variables.

Environment beats file; nested names join with two underscores (`AIRSIDE_BUDGETS__RUN__USD=0.50`). Two names from the
field are honoured as aliases: `MODEL_PROVIDER` and `MAX_COST_PER_QUERY`. Unknown names in the file are errors.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from airside.config.approvals import ApprovalSettings
from airside.config.batching import BatchesSettings, BatchingSettings, OffPeakSettings
from airside.config.budgets import BudgetSettings, ProgressSettings, RunBudget
from airside.config.cache import CacheSettings
from airside.config.context import ContextSettings
from airside.config.egress import EgressSettings
from airside.config.fields import Bytes, OffIsAWord, Seconds, Section, Usd
from airside.config.guards import GuardSettings
from airside.config.handoffs import HandoffSettings
from airside.config.policy import PolicySettings
from airside.config.provenance import ProvenanceSettings
from airside.config.resilience import NoticeSettings, RateSettings, ResilienceSettings
from airside.config.routing import FallbackSettings, RoutingSettings
from airside.config.sandbox import SandboxSettings
from airside.config.secrets import SecretSettings
from airside.config.spotlight import SpotlightSettings
from airside.config.tools import ToolSettings


class DatabaseSettings(Section):
    """Where everything is kept. `url` is empty for SQLite in `data_dir`, `memory:` for tests, else `postgresql://…`."""

    url: str = ""
    pool_connections_max: int = Field(default=10, ge=2, le=100, description="connections of one process to Postgres")
    busy_timeout_s: Seconds = Field(default=10.0, description="how long to wait for another process's SQLite lock")


class ServerSettings(Section):
    """The HTTP faces. airside listens on loopback unless told otherwise."""

    host: str = "127.0.0.1"
    allow_remote: bool = Field(default=False, description="listen beyond loopback; put TLS in front")
    port: int = Field(default=7878, ge=0, le=65_535, description="0 picks a free port")
    gateway_url: str = Field(default="", description="where attempts reach the gateways; empty is this very process")
    body_bytes_max: Bytes = Field(default=10_485_760, description="largest request body; larger ones get 413")
    requests_in_flight_max: int = Field(default=2_000, ge=1, le=100_000)
    shutdown_grace_s: Seconds = 10.0


class ModelPrice(Section):
    """Dollars per million tokens, for models that the public price list does not know."""

    input: Usd
    output: Usd
    cached_read: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None


class ProviderSettings(Section):
    """An upstream for model calls. The key is read from `api_key_file`, else `api_key`; agents never see it."""

    kind: Literal[
        "openai",
        "anthropic",
        "gemini",
        "azure",
        "bedrock",
        "vertex",
        "mistral",
        "openai_compatible",
        "local",
        "scripted",
    ]
    base_url: str = Field(default="", description="empty is the provider's own, where it has one for everybody")
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    token_file: Path | None = Field(default=None, description="`azure`, `vertex`: a token that something else renews")
    credentials_file: Path | None = Field(
        default=None, description="`bedrock`: AWS credentials; `vertex`: a service account's key"
    )
    profile: str = Field(default="default", description="`bedrock`: the section of `credentials_file`")
    region: str = Field(default="", description="`bedrock`, `vertex`: where the models are")
    project: str = Field(default="", description="`vertex`: the project; empty is the service account's own")
    api_version: str = Field(default="", description="`azure`: of the deployments' API; empty is the v1 API")
    script: Path | None = Field(default=None, description="conversation file of a `scripted` provider")
    model_file: Path | None = Field(default=None, description="`local`: a GGUF file; empty is the small one that ships")
    context_tokens: int = Field(default=4_096, ge=512, le=1_048_576, description="`local`: the model's window")
    threads: int = Field(default=0, ge=0, le=256, description="`local`: of computation; 0 is one per core")
    queue_max: int = Field(default=32, ge=1, le=10_000, description="`local`: calls that may wait; more get 429")
    timeout_s: Seconds = Field(default=120.0, description="whole answer")
    connect_timeout_s: Seconds = 5.0
    idle_timeout_s: Seconds = Field(default=60.0, description="longest silence within a stream")
    connections_max: int = Field(default=1_000, ge=1, le=10_000)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold its credentials."""
        files = (self.api_key_file, self.token_file, self.credentials_file)
        return tuple(file for file in files if file is not None)


class ModelSettings(Section):
    """What a model name that agents use stands for. Names not listed go to the default provider unchanged."""

    provider: str
    model: str = Field(default="", description="the provider's name for it; empty keeps the agent's")
    price: ModelPrice | None = None
    context_tokens: int = Field(default=0, ge=0, le=100_000_000, description="its window; 0 asks the price list")


class AgentSettings(Section):
    """An agent: how it is started, and what it may use. Exactly one of `entry` and `command` is given."""

    adapter: Literal["plain", "pydantic_ai", "openai_agents", "langgraph", "command"] = "plain"
    entry: str = Field(default="", description="`package.module:name` of the agent")
    command: list[str] = Field(default=[])
    path: list[Path] = Field(default=[], description="folders put on the agent's sys.path")
    model: str = Field(default="", description="default model name")
    tools: list[str] = Field(default=[], description="names of tools the agent is offered; policy still decides")
    isolation: Literal["auto", "inline", "process", "namespace", "container"] | None = None
    runs_max: int = Field(default=16, ge=1, le=10_000, description="runs of this agent at the same time")
    budget: RunBudget | None = None
    progress: ProgressSettings | None = None
    context: ContextSettings | None = Field(default=None, description="beats the section `context`")
    cache: Annotated[Literal["off", "exact", "semantic"], OffIsAWord] | None = Field(
        default=None, description="beats `cache.mode`"
    )
    spotlight: SpotlightSettings | None = Field(default=None, description="beats the section `guards.spotlight`")
    env_pass: list[str] = Field(default=[], description="environment variables it may see; an ungated grant")
    prompt: list[str] = Field(default=[], description="paths in its input that are the user's own words; empty is all")
    plan: Path | None = Field(default=None, description="plan of runs that are given none; docs/provenance.md")
    policy: Path | None = Field(default=None, description="rules that narrow the platform's and the tenant's")
    stage: Literal["shadow", "alpha", "beta", "controlled", "general"] = "general"
    attempts_max: int = Field(default=3, ge=1, le=20, description="attempts after crashes")


class RunSettings(Section):
    """How runs are executed."""

    isolation: Literal["auto", "inline", "process", "namespace", "container"] = "auto"
    off_peak: OffPeakSettings = OffPeakSettings()
    slots: int = Field(default=8, ge=1, le=1_000, description="attempts at the same time in one worker")
    tenant_runs_max: int = Field(default=64, ge=1, le=100_000, description="running runs of a tenant")
    queue_max: int = Field(default=100_000, ge=1, le=10_000_000, description="queued runs of a tenant; more get 429")
    park_max_s: float = Field(
        default=3_600.0, gt=0, le=2_592_000, description="how long a run may wait for failing dependencies, in all"
    )
    resume_per_s: int = Field(
        default=20, ge=1, le=1_000, description="parked runs that go on in a second once their dependency is back"
    )
    lease_renew_s: Seconds = 5.0
    lease_expire_s: Seconds = 20.0
    suspend_grace_s: float = Field(
        default=0.5, ge=0, le=60, description="time in-flight tools get before an attempt ends"
    )
    divergence_wait_s: Seconds = 30.0
    memory_bytes_max: int = Field(default=2_147_483_648, ge=67_108_864, le=1_099_511_627_776)
    processes_max: int = Field(default=256, ge=8, le=100_000)
    open_files_max: int = Field(default=256, ge=32, le=100_000)
    result_bytes_max: Bytes = 10_485_760
    replay_clock: Literal["journal", "real"] = "journal"


class WebhookSettings(Section):
    """Outgoing webhooks, signed as Standard Webhooks."""

    secret: SecretStr | None = Field(default=None, description="`whsec_` plus base64; made at first start if absent")
    timeout_s: Seconds = 10.0
    tries_max: int = Field(default=8, ge=1, le=30)
    allow_private_addresses: bool = Field(default=False, description="loopback and private networks as targets")


class Settings(BaseSettings):
    """All settings of one airside installation."""

    model_config = SettingsConfigDict(
        env_prefix="AIRSIDE_", env_nested_delimiter="__", extra="forbid", frozen=True, populate_by_name=True
    )

    data_dir: Path = Field(default=Path(".airside"), description="SQLite file, master key and sockets; mode 0700")
    master_key_file: Path | None = Field(default=None, description="32 bytes in hex; default data_dir/master.key")
    tenant: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="the first tenant")
    time_zone: str = "UTC"
    model_provider: str = Field(
        default="scripted", validation_alias=AliasChoices("model_provider", "AIRSIDE_MODEL_PROVIDER", "MODEL_PROVIDER")
    )
    max_cost_per_query: Usd | None = Field(
        default=None,
        validation_alias=AliasChoices("max_cost_per_query", "AIRSIDE_MAX_COST_PER_QUERY", "MAX_COST_PER_QUERY"),
        description="dollars a run may cost; beats budgets.run.usd",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    providers: dict[str, ProviderSettings] = {}
    models: dict[str, ModelSettings] = {}
    budgets: BudgetSettings = BudgetSettings()
    batching: BatchingSettings = BatchingSettings()
    batches: BatchesSettings = BatchesSettings()
    agents: dict[str, AgentSettings] = {}
    tools: ToolSettings = ToolSettings()
    sandbox: SandboxSettings = SandboxSettings()
    egress: EgressSettings = EgressSettings()
    policy: PolicySettings = PolicySettings()
    approvals: ApprovalSettings = ApprovalSettings()
    runs: RunSettings = RunSettings()
    context: ContextSettings = ContextSettings()
    cache: CacheSettings = CacheSettings()
    webhooks: WebhookSettings = WebhookSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    rates: RateSettings = RateSettings()
    notices: NoticeSettings = NoticeSettings()
    routing: RoutingSettings = RoutingSettings()
    fallbacks: FallbackSettings = FallbackSettings()
    provenance: ProvenanceSettings = ProvenanceSettings()
    handoffs: dict[str, HandoffSettings] = {}
    secrets: SecretSettings = SecretSettings()
    guards: GuardSettings = GuardSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)
