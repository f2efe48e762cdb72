"""What a rule may look at beside names: closed operators, each with its limits. Shapes only; `weighing` weighs them.

A condition that is left out holds always. Facts that are missing satisfy no allowing rule.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from airside.core.policy import Origin

NUMBER_MAX = Decimal(10) ** 30


def _visible(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be seen")
    return text


def listed(value: Any) -> Any:
    """Return one thing as a list of it."""
    return value if isinstance(value, list | tuple) else (value,)


Glob = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$"), AfterValidator(_visible)]
TextGlob = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_visible)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]
Number = Annotated[Decimal, Field(ge=-NUMBER_MAX, le=NUMBER_MAX, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Scalar = Annotated[bool | int | Decimal | str, Field(union_mode="smart")]
Path = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
TextGlobs = Annotated[tuple[TextGlob, ...], BeforeValidator(listed), Field(min_length=1, max_length=1_000)]
Globs = Annotated[tuple[Glob, ...], BeforeValidator(listed), Field(min_length=1, max_length=1_000)]


class Part(BaseModel):
    """A piece of the file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Amount(Part):
    """Limits on the dollars a tool call moves: `above` excludes its own value, `at_most` includes it.

    An amount that cannot be read exactly counts as above everything, and no allowing rule holds for it.
    """

    above: Dollars | None = None
    at_most: Dollars | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.above is None and self.at_most is None:
            raise ValueError("give `above`, `at_most` or both")
        if self.above is not None and self.at_most is not None and self.above >= self.at_most:
            raise ValueError("`above` must be less than `at_most`")
        return self


class Period(StrEnum):
    """Over what is summed: the calendar's hour, day or month in the policy's time zone, or one run."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    RUN = "run"


class Window(Part):
    """What calls of some tools have done together in the present period, this call included.

    Every call of these tools that goes ahead counts, whichever rule let it. `tools` is the rule's own when left out.
    `by` keeps a sum for each value of something: `tenant` (one sum), `agent`, `principal.NAME`, `argument.PATH`.
    """

    per: Period
    tools: Globs | None = None
    by: str = Field(default="tenant", pattern=r"^(tenant|agent|principal\.[A-Za-z0-9_]{1,60}|argument\.\S{1,190})$")


class Sum(Window):
    """The dollars moved together. An amount that cannot be read counts as above every limit."""

    above: Dollars | None = None
    at_most: Dollars | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        _one_limit(self)
        return self


class Count(Window):
    """How many calls there were."""

    above: int | None = Field(default=None, ge=0, le=1_000_000_000)
    at_most: int | None = Field(default=None, ge=0, le=1_000_000_000)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        _one_limit(self)
        return self


def _one_limit(window: Sum | Count) -> None:
    if (window.above is None) == (window.at_most is None):
        raise ValueError("give `above` or `at_most`, not both")


Vouched = Literal["vouched", "not_vouched"]
Origins = Annotated[tuple[Origin | Vouched, ...], BeforeValidator(listed), Field(min_length=1, max_length=12)]
"""Where a value may come from: names of origins, `vouched` for those that may decide, `not_vouched` for the others."""

RoleName = Literal["target", "amount", "recipient", "content", "id", "query", "undeclared", "critical", "all"]


class ArgumentIs(Part):
    """What the values of an argument must be: each of them for an allowing rule, any of them for the others.

    `at_most` and the like compare exact numbers. `under_path` is a folder, `host_in` are hosts of a URL (`*.acme.com`
    are those below it). `not` turns operators around. An argument that is not there fits `present: false` only.
    """

    equals: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1, max_length=1_000)
    matches: TextGlobs | None = None
    at_most: Number | None = None
    at_least: Number | None = None
    above: Number | None = None
    below: Number | None = None
    length_max: int | None = Field(default=None, ge=0, le=10_000_000, description="characters, or items of a list")
    under_path: TextGlobs | None = None
    host_in: Globs | None = None
    origin: Origins | None = None
    present: bool | None = None
    not_: "ArgumentIs | None" = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give an operator, such as `equals`, `one_of`, `matches` or `at_most`")
        if self.present is False and len(self.model_fields_set) > 1:
            raise ValueError("an absent argument has no other properties")
        if self.not_ is not None and (self.not_.not_ is not None or self.not_.present is not None):
            raise ValueError("`not` turns operators on values around, not `not` or `present`")
        floors = [bound for bound in (self.at_least, self.above) if bound is not None]
        caps = [bound for bound in (self.at_most, self.below) if bound is not None]
        if floors and caps and max(floors) > min(caps):
            raise ValueError("no number lies between these limits")
        return self


class Taints(Part):
    """What the run has come across before this call, such as `untrusted`, `secret`, `untrusted:inbox`."""

    any_of: TextGlobs | None = None
    none_of: TextGlobs | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.any_of is None and self.none_of is None:
            raise ValueError("give `any_of`, `none_of` or both")
        return self


class Band(Part):
    """A part of the range from 0 to 1."""

    at_least: Share | None = None
    above: Share | None = None
    at_most: Share | None = None
    below: Share | None = None

    @property
    def bounds(self) -> Sequence[float]:
        """Every limit of the band."""
        return [bound for bound in (self.at_least, self.above, self.at_most, self.below) if bound is not None]

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.bounds:
            raise ValueError("give `at_least` or `above`, `at_most` or `below`, or one of each")
        floor, cap = _one(self.at_least, self.above), _one(self.at_most, self.below)
        if floor is not None and cap is not None and floor >= cap:
            raise ValueError("the lower limit must be less than the upper one")
        return self


class Confidence(Band):
    """A band of calibrated confidence. A call without one satisfies no allowing rule, and every other."""


class Risk(Band):
    """A band of the run's risk: how sure the surest finding of a guard was that somebody attacks."""


def _one(inclusive: float | None, strict: float | None) -> float | None:
    if inclusive is not None and strict is not None:
        raise ValueError("give one lower limit and one upper one")
    return strict if inclusive is None else inclusive


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:(?:([01][0-9]|2[0-3]):([0-5][0-9]))|24:00)", re.ASCII)


class Hours(Part):
    """A part of the week. `hours` are `09:00-17:30`; what ends before it begins goes on after midnight."""

    hours: str | None = Field(default=None, max_length=11)
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, max_length=7)
    zone: str | None = Field(default=None, max_length=64, description="beats the policy's time zone")

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.hours is None and self.days is None:
            raise ValueError("give `hours`, `days` or both")
        if self.hours is not None and (not _HOURS.fullmatch(self.hours) or len(set(self.minutes or ())) < 2):
            raise ValueError("hours are written like 09:00-17:30")
        known_zone(self.zone or "UTC")
        return self

    @property
    def minutes(self) -> tuple[int, int] | None:
        """First minute of the day that is inside, and the first after it."""
        if self.hours is None:
            return None
        begin, _, end = self.hours.partition("-")
        return _minute(begin), _minute(end)


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def known_zone(name: str) -> str:
    """Return the name of a time zone; raises ValueError if there is none of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not the name of a time zone, such as Europe/Berlin") from None
    return name
