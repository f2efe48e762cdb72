"""Settings of the context window: when it is watched, when a conversation is shortened, and how."""

from typing import Annotated, Literal

from pydantic import Field

from airside.config.fields import OffIsAWord, Section

Share = float


class ContextSettings(Section):
    """How conversations are kept within the model's context window. An agent's own section replaces this one."""

    mode: Annotated[Literal["off", "warn", "overflow", "early"], OffIsAWord] = Field(
        default="overflow",
        description="warn only tells; overflow shortens what would not fit; early shortens from trim_at on",
    )
    warn_at: Share = Field(default=0.8, gt=0, le=1, description="share of the window from which it is told")
    trim_at: Share = Field(default=0.85, gt=0, le=1, description="share of the window from which `early` shortens")
    trim_to: Share = Field(default=0.6, gt=0, le=1, description="share of the window that is left after shortening")
    keep_last_turns: int = Field(default=4, ge=1, le=1_000, description="turns at the end that always stay")
    result_tokens_max: int = Field(
        default=2_000, ge=50, le=1_000_000, description="longer tool results, but the newest, become excerpts"
    )
    excerpt_tokens: int = Field(default=300, ge=20, le=100_000)
    summary_model: str = Field(default="", description="model that summarises what leaves; empty is no summary")
    summary_tokens: int = Field(default=600, ge=50, le=8_192)
    facts_max: int = Field(default=4, ge=0, le=50, description="passages of what left that are put back if they fit")
