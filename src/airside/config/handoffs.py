"""Handing tasks to other agents: tools whose execution is a run of another agent."""

from decimal import Decimal

from pydantic import Field, JsonValue

from airside.config.fields import Section


class HandoffSettings(Section):
    """One tool that hands a task to another agent. It is offered by naming it in an agent's `tools`."""

    agent: str = Field(description="the agent that does the task")
    description: str = Field(default="", description="what agents are told the tool is for")
    tools: list[str] | None = Field(
        default=None, description="the only tools of that agent that may be used; absent is all of them"
    )
    rules: list[dict[str, JsonValue]] = Field(
        default=[], description="rules, as in a policy file, that the task must obey besides all others"
    )
    usd: Decimal | None = Field(
        default=None, ge=0, le=1_000_000, description="dollars the task may cost, if less than that agent's runs may"
    )
