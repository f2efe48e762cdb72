"""Settings of judges: slower opinions on texts that may try to give orders, asked beside rules and classifier."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from airside.config.fields import Section

_Name = Annotated[str, Field(min_length=1, max_length=100)]


class JudgeSettings(Section):
    """A judge of texts: a model on this machine, a model of a provider, or an address. docs/guards.md."""

    name: _Name = Field(description="what its findings' rule is called")
    folder: str = Field(
        default="", max_length=4_000, description="with model.onnx and tokenizer.json: a sequence classifier"
    )
    attack_labels: list[Annotated[int, Field(ge=0, le=100)]] = Field(
        default=[1], min_length=1, max_length=100, description="outputs of model.onnx that mean an attack"
    )
    model: str = Field(default="", max_length=200, description="of a provider, asked as an aside of the run")
    url: str = Field(default="", max_length=2_000, description="an address that is posted the text")
    allow_private: bool = Field(default=False, description="`url` may lead to this machine or a private network")
    timeout_s: float = Field(default=5.0, gt=0, le=120)
    score_min: float = Field(default=0.5, ge=0, le=1, description="a judge's score from which on it is a finding")
    unsure_min: float = Field(
        default=0.0, ge=0, le=1, description="the classifier's score from which on the judge is asked"
    )
    unsure_max: float = Field(default=1.0, ge=0, le=1, description="… and up to which")
    places: list[Literal["user", "result", "description"]] = Field(
        default=["user", "result", "description"], min_length=1, max_length=3
    )
    piece_chars: int = Field(default=4_000, ge=200, le=100_000, description="longer texts are judged in pieces")
    pieces_max: int = Field(
        default=4, ge=1, le=100, description="of a text; of more, those that the classifier finds worst are judged"
    )

    @model_validator(mode="after")
    def _one_way(self) -> "JudgeSettings":
        if bool(self.folder) + bool(self.model) + bool(self.url) != 1:
            raise ValueError("a judge has either `folder`, `model` or `url`")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError("a judge's `url` begins with https:// or http://")
        if self.unsure_min > self.unsure_max:
            raise ValueError("`unsure_min` is above `unsure_max`")
        return self
