"""Settings of secrets: where they come from, how long they are held, and who may use which."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from airside.config.fields import Seconds, Section

StoreName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class StoreSettings(Section):
    """A place that secrets come from; `kind` says which of the other settings matter."""

    kind: Literal["env", "file", "encrypted", "vault", "aws"]
    tenants: list[str] = Field(default=[], description="tenants that may use it; empty is every tenant")
    names: list[str] = Field(default=[], description="`env`: the variables that may be read")
    folder: Path | None = Field(default=None, description="`file`: a file for each secret")
    file: Path | None = Field(default=None, description="`encrypted`: all secrets in one Fernet token")
    key_file: Path | None = Field(default=None, description="`encrypted`: its keys, one a line, the newest first")
    address: str = Field(default="", description="`vault`: of the server; `aws`: empty is AWS itself")
    namespace: str = Field(default="", description="`vault`: the namespace")
    mount: str = Field(default="secret", description="`vault`: where the engine is mounted")
    engine: Literal["kv2", "dynamic"] = Field(
        default="kv2", description="`vault`: stored secrets, or credentials made for a lease (database, cloud)"
    )
    token_file: Path | None = Field(default=None, description="`vault`: a token that something else renews")
    role_id_file: Path | None = Field(default=None, description="`vault`: AppRole")
    secret_id_file: Path | None = Field(default=None, description="`vault`: AppRole")
    ca_file: Path | None = Field(default=None, description="`vault`, `aws`: certificates to trust; empty is the usual")
    region: str = Field(default="", description="`aws`: where the secrets are")
    credentials_file: Path | None = Field(
        default=None, description="`aws`: a credentials file; empty is what boto3 finds by itself"
    )
    profile: str = Field(default="default", description="`aws`: the section of `credentials_file`")

    @property
    def paths(self) -> dict[str, Path]:
        """Every path that is set, by the name of its setting."""
        named = {name: getattr(self, name) for name in PATHS}
        return {name: path for name, path in named.items() if path is not None}


PATHS = (
    "folder",
    "file",
    "key_file",
    "token_file",
    "role_id_file",
    "secret_id_file",
    "ca_file",
    "credentials_file",
)


class GrantSettings(Section):
    """Who may use a secret: nobody may use one that no grant names."""

    secret: str = Field(description="a handle; `*` at its end stands for any rest of the name")
    tools: list[str] = Field(min_length=1, description="by name; `*` at the end stands for any rest")
    agents: list[str] = Field(default=["*"], description="by name; `*` at the end stands for any rest")
    tenants: list[str] = Field(default=[], description="empty is the installation's own; `*` is every tenant")
    name: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="for `ToolContext.secret(name)`")
    arguments: list[str] = Field(
        default=[], description="places in arguments where an agent may put the handle: `headers.Authorization`, `*`"
    )
    hosts: list[str] = Field(
        default=[], description="the only hosts that addresses in such a call may name; empty is any"
    )


class SecretSettings(Section):
    """Stores, grants, and how long values are held in memory."""

    stores: dict[StoreName, StoreSettings] = Field(default={})
    grants: list[GrantSettings] = Field(default=[])
    ttl_s: Seconds = Field(default=300.0, description="how long a value is used before its store is asked again")
    stale_s: float = Field(
        default=900.0, ge=0, le=86_400, description="how much longer while the store does not answer"
    )
    timeout_s: Seconds = Field(default=5.0, description="for one answer of a store")
    retry_s: Seconds = Field(default=1.0, description="pause before a store that failed is asked again")
    remember_s: Seconds = Field(default=86_400.0, description="how long values are looked for in what tools answer")
