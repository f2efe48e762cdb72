"""A plan: the effects that a run has committed to before anything untrusted could speak to it.

Written by the developer, by the agent before its first untrusted read, or mined from runs that people have seen.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airside.core.errors import AirsideError, Code
from airside.core.policy import VOUCHED, Origin

STEPS_MAX = 500
TIMES_MAX = 100_000

Scalar = Annotated[bool | int | float | str, Field(union_mode="smart")]


class Part(BaseModel):
    """A piece of a plan; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Expected(Part):
    """What the values of one argument must be: one of some constants, or from some origins.

    `fields` narrows the origin `trusted` to fields of tools' results, as `get_order.items.*.id`.
    """

    one_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1, max_length=1_000)
    origins: tuple[Origin, ...] | None = Field(default=None, alias="from", max_length=12)
    fields: tuple[Annotated[str, Field(min_length=1, max_length=300)], ...] | None = Field(
        default=None, max_length=1_000
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.one_of is None) == (self.origins is None):
            raise ValueError("give `one_of` or `from`")
        if self.origins is not None and not VOUCHED.issuperset(self.origins):
            raise ValueError(f"values may come from {', '.join(sorted(VOUCHED))}")
        return self


class PlanStep(Part):
    """An effect: calls of a tool, at most `times` in a run. Arguments that are not named may be anything."""

    tool: str = Field(min_length=1, max_length=200)
    times: int = Field(default=1, ge=1, le=TIMES_MAX)
    arguments: dict[Annotated[str, Field(min_length=1, max_length=200)], Expected] = Field(default={}, max_length=200)

    @property
    def exactness(self) -> int:
        """How much a step says: the more exact one is used up first."""
        return sum(2 if expected.one_of is not None else 1 for expected in self.arguments.values())


class Plan(Part):
    """All that a run may do. In a `closed` plan (the usual one) what it does not name is outside.

    One that is not closed only tells what is usual; of anything else it says nothing, as if there were no plan.
    """

    closed: bool = True
    steps: tuple[PlanStep, ...] = Field(default=(), max_length=STEPS_MAX)


def read(value: Any) -> Plan:
    """Return the plan in a JSON value; raises AirsideError `invalid_request` that names what is wrong."""
    try:
        return Plan.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "plan"
        problem = {"extra_forbidden": "this key is not known"}.get(first["type"], first["msg"])
        raise AirsideError(
            Code.INVALID_REQUEST, f"plan: {where}: {problem}", advice="See docs/provenance.md."
        ) from None


def written(plan: Plan) -> dict[str, Any]:
    """Return a plan as a JSON value, without what goes without saying."""
    value: dict[str, Any] = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    return {"closed": plan.closed, **value}
