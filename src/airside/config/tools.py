"""Settings of tools: where they come from, and what each does to the world."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints

from airside.config.fields import Bytes, Seconds, Section

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](_?[a-zA-Z0-9-])*$", max_length=32)]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9.-]+:[0-9]{1,5}$|^\[[0-9a-f:]+\]:[0-9]{1,5}$")]
RoleName = Literal["target", "amount", "recipient", "content", "id", "query"]
LabelName = Literal["trusted", "untrusted", "secret", "trusted secret"]


class ManifestSettings(Section):
    """What a tool does to the world; without `effect` nothing counts as said, and a tool is taken at its worst."""

    effect: Literal["read", "write", "execute"] = "execute"
    reversible: bool = False
    idempotent: bool = Field(default=False, description="it honours the call id as its idempotency key")
    amount: str = Field(default="", description="the argument that carries money")
    amount_unit: Literal["usd", "cents"] = "usd"
    timeout_s: Seconds = 30.0
    roles: dict[str, RoleName] = Field(default={}, description="what arguments are, by path: `to`, `lines.*.account`")
    results: dict[str, LabelName] = Field(
        default={}, description="what fields of the result are, by path; `''` is the whole"
    )
    hosts: list[Host] = Field(default=[], description="where it sends something, `HOST:PORT`; empty is nowhere")
    cache_ttl_s: float = Field(default=0.0, ge=0, le=2_592_000, description="how long a result may serve again")
    cache_shared: bool = Field(default=False, description="also for another run of the same tenant")
    invalidates: list[str] = Field(default=[], description="tools whose cached results an effect of this one ends")
    capability: str = Field(
        default="", pattern=r"^[a-z0-9_-]{0,40}$", description="what it is part of, such as payments: fails as one"
    )
    cost_usd: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000, description="of one call")


class LocalToolSettings(ManifestSettings):
    """A tool inside agents' own processes."""


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


class McpServerSettings(Section):
    """An MCP server whose tools agents may be offered. Exactly one of `command` and `url` is given."""

    command: list[str] = Field(default=[], description="program and arguments of a server that speaks over stdio")
    url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$", description="of a server that speaks streamable HTTP")
    headers: dict[str, SecretStr] = Field(default={}, description="the server's own credential; or `secret://…`")
    env: dict[str, SecretStr] = Field(default={}, description="environment of the command; or `secret://…`")
    env_pass: list[str] = Field(default=[], description="environment variables of airside it may see")
    folder: Path | None = Field(default=None, description="where the command runs; empty is a new empty folder")
    stateless: bool = Field(default=False, description="calls do not depend on each other: runs may share a session")
    prefix: str | None = Field(
        default=None, pattern=r"^[a-zA-Z0-9_-]{0,40}$", description="before its tools' names; not given it is NAME__"
    )
    tools: list[str] = Field(default=["*"], description="which of its tools exist here; `*` stands for any text")
    timeout_s: Seconds = Field(default=30.0, description="for a call of a tool whose manifest does not say")
    start_timeout_s: Seconds = Field(default=20.0, description="from start to the list of tools")
    refresh_s: Seconds = Field(default=300.0, description="how often its list of tools is asked for")
    idle_s: Seconds = Field(default=120.0, description="after which a session that nobody uses is closed")
    sessions_max: int = Field(default=32, ge=1, le=1_000, description="at the same time; more calls wait")
    concurrency_max: int = Field(default=16, ge=1, le=1_000, description="calls at the same time")
    result_bytes_max: Bytes = 10_485_760
    tools_max: int = Field(default=256, ge=1, le=2_000, description="tools beyond are left out")
    memory_bytes_max: int = Field(
        default=2_147_483_648,
        ge=67_108_864,
        le=1_099_511_627_776,
        description="private memory of each process of the command",
    )
    open_files_max: int = Field(default=256, ge=16, le=100_000, description="of the command")


class OpenApiSettings(Section):
    """Operations of an HTTP API, as its OpenAPI document describes them."""

    document: Path = Field(description="OpenAPI 3.0 or 3.1, JSON or YAML; never fetched")
    base_url: str = Field(
        default="", pattern=r"^(https?://[^\s?#]+)?$", description="empty is the document's first server"
    )
    operations: list[str] = Field(
        default=[], description="operation ids, or `GET /orders/{id}`; `*` stands for any text; empty is none"
    )
    headers: dict[str, SecretStr] = Field(default={}, description="sent with every request; or `secret://…`")
    query: dict[str, SecretStr] = Field(default={}, description="sent with every request; or `secret://…`")
    prefix: str | None = Field(
        default=None, pattern=r"^[a-zA-Z0-9_-]{0,40}$", description="before its tools' names; not given it is NAME__"
    )
    idempotency_header: str = Field(
        default="", pattern=r"^[A-Za-z0-9-]{0,64}$", description="header that carries the idempotency key"
    )
    timeout_s: Seconds = Field(default=30.0, description="for an operation whose manifest does not say")
    connect_timeout_s: Seconds = 5.0
    connections_max: int = Field(default=16, ge=1, le=1_000)
    result_bytes_max: Bytes = 10_485_760


class ToolSettings(Section):
    """Where tools come from: `@tool` functions in a process of their own, MCP servers, OpenAPI operations."""

    modules: list[str] = Field(default=[])
    path: list[Path] = Field(default=[])
    env_pass: list[str] = Field(default=[], description="environment variables the tool host may see")
    result_bytes_max: Bytes = 10_485_760
    concurrency_max: int = Field(default=32, ge=1, le=1_000, description="tool executions at the same time")
    polling: list[str] = Field(default=[], description="tools whose use is to be asked the same again, hosted or local")
    local: dict[str, LocalToolSettings] = Field(default={}, description="tools in agents' own processes, by name")
    manifests: Annotated[list[Path], BeforeValidator(_one_or_many)] = Field(
        default=[], description="files that say what tools do"
    )
    mcp: dict[SourceName, McpServerSettings] = Field(default={}, description="MCP servers, by name")
    openapi: dict[SourceName, OpenApiSettings] = Field(default={}, description="HTTP APIs, by name")
