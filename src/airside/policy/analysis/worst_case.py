"""The worst case of an installation: what each agent can do by its rules and limits, and what nothing gates."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from airside.config.budgets import RunBudget
from airside.config.settings import AgentSettings, Settings
from airside.core.patterns import fits_any
from airside.core.tool import Tool
from airside.policy.analysis.blast_radius import Bound, Harm, Limits, Reach, reach, total
from airside.policy.layers import LayeredPolicy, Layers


class HarmDone(Struct, frozen=True):
    """What all tools of an agent can do together; None is without bound."""

    harm: str
    run: Bound
    day: Bound


class AgentCase(Struct, frozen=True):
    """The worst case of one agent, and what it was given that no rule gates."""

    agent: str
    harms: Sequence[HarmDone]
    tools: Sequence[Reach]
    ungated: Sequence[str]


class WorstCase(Struct, frozen=True):
    """The worst case of an installation."""

    agents: Sequence[AgentCase]
    observed: Sequence[str]

    @property
    def unbounded(self) -> bool:
        """Whether anything has no bound, or stops nothing."""
        harms = [harm for agent in self.agents for harm in agent.harms]
        return bool(self.observed) or any(harm.run is None or harm.day is None for harm in harms)


def worst_case(
    settings: Settings, layers: Layers, tools: Mapping[str, Tool], only: str = "", *, budget_s: float
) -> WorstCase:
    """Return the worst case of one agent, or of all."""
    agents = {name: agent for name, agent in settings.agents.items() if only in ("", name)}
    cases = [_case(settings, layers, tools, name, agent, budget_s / len(agents)) for name, agent in agents.items()]
    return WorstCase(cases, LayeredPolicy(layers).observed())


def _case(
    settings: Settings, layers: Layers, tools: Mapping[str, Tool], name: str, agent: AgentSettings, budget_s: float
) -> AgentCase:
    below = [layer for layer in (layers.tenants.get(settings.tenant), layers.agents.get(name)) if layer is not None]
    offered = _offered(agent, tools)
    reaches = reach([layers.platform, *below], name, offered, _limits(settings, agent), budget_s=budget_s)
    done = {reach.harm for reach in reaches if reach.automatic}
    harms = [HarmDone(harm, **total(reaches, harm)) for harm in Harm if harm in done]
    budget = agent.budget or settings.budgets.run
    harms.append(HarmDone("model dollars", budget.usd, _model_dollars_a_day(settings)))
    return AgentCase(name, harms, reaches, _ungated(settings, agent))


def _offered(agent: AgentSettings, tools: Mapping[str, Tool]) -> Sequence[Tool]:
    """Return the tools that an agent may call; one that nothing is known of is at its worst."""
    known = [tool for tool in tools.values() if tool.source == "local" or fits_any(tool.name, agent.tools)]
    names = {tool.name for tool in known}
    unknown = [name for name in agent.tools if "*" not in name and name not in names]
    return [*known, *[Tool(name=name, description="", schema={}) for name in unknown]]


def _limits(settings: Settings, agent: AgentSettings) -> Limits:
    budget: RunBudget = agent.budget or settings.budgets.run
    tenant = settings.budgets.tenant
    times = {"hour": 25, "day": 1, "month": 1, "none": 1}[tenant.period]
    return Limits(budget.calls, budget.wall_s, None if tenant.calls is None else tenant.calls * times)


def _model_dollars_a_day(settings: Settings) -> Bound:
    tenant = settings.budgets.tenant
    return None if tenant.usd is None else tenant.usd * (25 if tenant.period == "hour" else 1)


def _ungated(settings: Settings, agent: AgentSettings) -> Sequence[str]:
    said = [f"environment variable {name} is passed to the agent" for name in agent.env_pass]
    isolation = agent.isolation or settings.runs.isolation
    if isolation in ("inline", "process"):
        said.append(f"isolation {isolation}: the agent reaches the network and the disk past the gateways")
    if settings.tools.env_pass:
        said.append(f"environment variables {', '.join(settings.tools.env_pass)} are passed to the tool host")
    for name, server in settings.tools.mcp.items():
        if server.env_pass:
            said.append(f"environment variables {', '.join(server.env_pass)} are passed to MCP server {name}")
    if settings.tools.local:
        said.append("tools in the agent's own process act by themselves; the gateway only permits them")
    return said
