"""Settings of the caches in front of the models: what may be remembered, for whom, how long, and how alike is alike."""

from typing import Annotated, Literal

from pydantic import Field

from airside.config.fields import Bytes, OffIsAWord, Seconds, Section


class SemanticSettings(Section):
    """The semantic cache: when an answer to one question may serve another."""

    embedder: str = Field(default="local", description="`local` (extra `local`), or an embedding model's name")
    similarity: float = Field(default=0.95, ge=0.5, le=1, description="cosine demanded as long as nothing is learned")
    similarity_min: float = Field(default=0.8, ge=0.5, le=1, description="below this nothing is served, ever")
    errors_max: float = Field(default=0.01, gt=0, le=0.2, description="bound on the share of wrong hits")
    audit_share: float = Field(default=0.02, ge=0, le=1, description="hits that are answered anew, to compare")
    entries_max: int = Field(default=5_000, ge=1, le=50_000, description="questions compared in one conversation state")


class CacheSettings(Section):
    """What is remembered. Nothing is, unless an agent, a call or `mode` asks for it."""

    mode: Annotated[Literal["off", "exact", "semantic"], OffIsAWord] = Field(
        default="off", description="for calls that do not say"
    )
    wishes: bool = Field(default=True, description="whether a call's x-airside-cache header counts")
    scope: Literal["subject", "tenant"] = Field(default="subject", description="who shares answers")
    agents: Literal["release", "agent", "any"] = Field(default="release", description="which agents share answers")
    ttl_s: Seconds = 3_600.0
    bytes_max: Bytes = Field(default=268_435_456, description="of one tenant, in the database")
    entry_bytes_max: Bytes = Field(default=1_048_576, description="larger answers are not remembered")
    front_bytes_max: Bytes = Field(default=33_554_432, description="of one process, in memory")
    front_s: Seconds = Field(default=2.0, description="how long a process trusts its memory before it asks again")
    any_temperature: bool = Field(default=False, description="also where the request does not say temperature 0")
    tool_calls: bool = Field(default=False, description="also answers that call tools (exact cache only)")
    join: bool = Field(default=False, description="identical calls in flight share one call")
    prompt: Annotated[Literal["auto", "off"], OffIsAWord] = Field(
        default="auto", description="marks stable prefixes for the provider"
    )
    semantic: SemanticSettings = SemanticSettings()
