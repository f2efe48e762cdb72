"""Settings of the guards that look at answers only: repairs, rules over the output, links, hooks."""

from decimal import Decimal
from typing import Annotated, Final, Literal

import re2
from pydantic import Field, StrictBool, StrictInt, StrictStr, field_validator, model_validator

from airside.config.fields import OffIsAWord, Section

_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Path = Annotated[str, Field(max_length=500)]
_Scalar = StrictBool | StrictInt | Decimal | StrictStr
_Number = StrictInt | Decimal
_Host = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^(\*|(\*\.)?[^\s*/:@?#\[\]]+|\[[0-9a-fA-F:.]+\])$",
        description="a host without scheme, port and path: `example.com`, `*.example.com`, `*`",
    ),
]
_SILENT: Final = re2.Options()
_SILENT.log_errors = False  # the settings' own error says it


class RepairSettings(Section):
    """What is done with a structured answer that does not fit its schema, before the mode of `schema` decides."""

    tries: int = Field(default=1, ge=0, le=3, description="how often the model is asked again, with the errors")
    model: str = Field(default="", max_length=200, description="who is asked; empty: the model that answered")
    output_tokens_max: int = Field(default=8_192, ge=1, le=1_000_000, description="what a repair may say")


class Expression(Section):
    """What must hold of a place in an answer, or of other expressions. Exactly one of path, all, any, not."""

    path: _Path | None = Field(default=None, description="`total.amount`, `items.*.price`, `$text`")
    all: "list[Expression] | None" = Field(default=None, min_length=1, max_length=50)
    any: "list[Expression] | None" = Field(default=None, min_length=1, max_length=50)
    not_: "Expression | None" = Field(default=None, alias="not")
    exists: bool | None = None
    is_: _Scalar | None = Field(default=None, alias="is")
    is_not: _Scalar | None = None
    at_least: _Number | None = None
    at_most: _Number | None = None
    above: _Number | None = None
    below: _Number | None = None
    one_of: list[_Scalar] | None = Field(default=None, max_length=1_000)
    none_of: list[_Scalar] | None = Field(default=None, max_length=1_000)
    matches: Annotated[str, Field(max_length=1_000)] | None = Field(default=None, description="an expression of RE2")
    contains: _Scalar | None = None
    length_at_least: int | None = Field(default=None, ge=0)
    length_at_most: int | None = Field(default=None, ge=0)
    is_path: _Path | None = Field(default=None, description="another place that must hold the same")
    at_least_path: _Path | None = None
    at_most_path: _Path | None = None

    @field_validator("matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re2.compile(value, _SILENT)
            except re2.error as error:
                why = error.args[0] if error.args else b""
                said = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
                raise ValueError(f"not an expression of RE2: {said}") from None
        return value

    @model_validator(mode="after")
    def _one_thing(self) -> "Expression":
        joined = [value for value in (self.path, self.all, self.any, self.not_) if value is not None]
        if len(joined) != 1:
            raise ValueError("an expression has exactly one of path, all, any, not")
        said = self.model_fields_set - {"path", "all", "any", "not_"}
        if (self.path is not None) != bool(said):
            raise ValueError("an expression with a path says what must hold of it; no other does")
        return self


class CheckSettings(Section):
    """A business rule over answers: what `require` says must hold, where `when` holds."""

    name: _Name
    agents: list[_Name] = Field(default=[], max_length=1_000, description="empty: all")
    when: Expression | None = None
    require: Expression
    mode: Annotated[Literal["off", "observe", "flag", "block"], OffIsAWord] = "flag"


class LinkSettings(Section):
    """Links in answers."""

    hosts: list[_Host] = Field(
        default=[], max_length=1_000, description="hosts that links may name: `example.com`, `*.example.com`"
    )


class HookSettings(Section):
    """A check of answers that somebody else makes: of poisonous words, of claims without ground."""

    name: _Name
    guard: Literal["toxicity", "groundedness"]
    call: str = Field(default="", max_length=300, description="`package.module:function`, an async function")
    url: str = Field(default="", max_length=2_000, description="an address that is posted the answer")
    timeout_s: float = Field(default=5.0, gt=0, le=120)
    agents: list[_Name] = Field(default=[], max_length=1_000, description="empty: all")

    @model_validator(mode="after")
    def _one_way(self) -> "HookSettings":
        if bool(self.call) == bool(self.url):
            raise ValueError("a hook has either `call` or `url`")
        return self
