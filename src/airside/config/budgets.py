"""Settings of what may be spent, when people are told, and when a run that gets nowhere is stopped."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from airside.config.fields import Count, Seconds, Section, Usd

Part = Annotated[float, Field(ge=0.5, le=1)]
Repeats = Annotated[int, Field(ge=2, le=10_000)]
Period = Literal["none", "hour", "day", "month"]


class BudgetLimits(Section):
    """Limits of one budget node; null is no limit."""

    usd: Usd | None = None
    tokens: Count | None = None
    calls: Count | None = None
    period: Period = "none"
    carry_over: bool = Field(
        default=False, description="dollars left at the end of a period are added to the next, at most once the limit"
    )


class RunBudget(Section):
    """Limits of each run (requirements D1, D2, D5, D7)."""

    usd: Usd | None = Decimal("0.50")
    tokens: Count | None = 100_000
    calls: Count | None = 500
    tool_calls_per_turn: Count | None = 10
    wall_s: Seconds = Field(default=300.0, description="running time; waiting for people does not count")


class NodeLevels(Section):
    """At which part of a limit something happens before the stop at its end; null is never."""

    warn: Part | None = Field(default=0.8, description="part of a limit from which on it is told once in a period")
    throttle: Part | None = Field(default=0.95, description="part of a limit from which on calls are slowed down")
    notify: bool = Field(default=True, description="operators are told; else levels are only journaled")


class LevelSettings(Section):
    """Warn, throttle and stop, by kind of node (requirement D9)."""

    tenant: NodeLevels = NodeLevels()
    business_unit: NodeLevels = NodeLevels()
    workflow: NodeLevels = NodeLevels()
    customer: NodeLevels = NodeLevels()
    run: NodeLevels = NodeLevels(throttle=None, notify=False)
    delay_s_max: Seconds = Field(default=2.0, description="how long a throttled call waits just below the limit")


class ProgressSettings(Section):
    """When a run goes round in circles, and when it is stopped for it."""

    enabled: bool = True
    repeats_warn: Repeats = Field(default=3, description="equal calls with equal results, or equal rounds of calls")
    repeats_stop: Repeats = 6
    requests_warn: Repeats = Field(default=10, description="equal requests to a model, whatever it answers")
    requests_stop: Repeats = 20


class BudgetSettings(Section):
    """The budget tree: tenant ▸ business unit ▸ workflow ▸ customer ▸ run, by the labels of a run."""

    run: RunBudget = RunBudget()
    tenant: BudgetLimits = BudgetLimits()
    business_units: dict[str, BudgetLimits] = Field(default={})
    workflows: dict[str, BudgetLimits] = Field(default={})
    customer: BudgetLimits = Field(default=BudgetLimits(), description="of each customer that is not named")
    customers: dict[str, BudgetLimits] = Field(default={})
    levels: LevelSettings = LevelSettings()
    progress: ProgressSettings = ProgressSettings()
    reserve_output_tokens: int = Field(default=8_192, ge=1, le=1_000_000)
    wait_s: Seconds = Field(default=60.0, description="how long a call waits for other calls' reservations")
