"""Which budget nodes a run is charged to, and their limits. Pure: settings and an instant in, nodes out."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from airside.config.budgets import BudgetLimits, RunBudget
from airside.config.settings import Settings
from airside.core.budget import Limits
from airside.core.clock import SECOND_US
from airside.core.money import usd

_FORMATS = {"none": "", "hour": "@%Y-%m-%dT%H", "day": "@%Y-%m-%d", "month": "@%Y-%m"}


class Node(Struct, frozen=True):
    """A budget node by its id (`workflow:refunds@2026-11`) and what it allows."""

    name: str
    limits: Limits


def path(
    settings: Settings, tenant_id: str, run_id: str, labels: dict[str, str], now_us: int, agent: str
) -> list[Node]:
    """Return the nodes of a run from the tenant down to the run, for the periods in which `now_us` falls.

    Business units and workflows come from the run's labels; those that have no limits configured are still counted,
    so that what they cost can be told. Periods begin in the time zone of `settings`.
    """
    budgets = settings.budgets
    nodes = [_node(settings, f"tenant:{tenant_id}", budgets.tenant, now_us)]
    if unit := labels.get("business_unit", ""):
        nodes.append(_node(settings, f"unit:{unit}", budgets.business_units.get(unit, BudgetLimits()), now_us))
    if workflow := labels.get("workflow", ""):
        nodes.append(_node(settings, f"workflow:{workflow}", budgets.workflows.get(workflow, BudgetLimits()), now_us))
    nodes.append(Node(f"run:{run_id}", run_limits(settings, agent)))
    return nodes


def configured(settings: Settings, tenant_id: str, now_us: int) -> list[Node]:
    """Return the nodes that the settings give limits to, for the periods in which `now_us` falls."""
    budgets = settings.budgets
    return [
        _node(settings, f"tenant:{tenant_id}", budgets.tenant, now_us),
        *[_node(settings, f"unit:{name}", limits, now_us) for name, limits in budgets.business_units.items()],
        *[_node(settings, f"workflow:{name}", limits, now_us) for name, limits in budgets.workflows.items()],
    ]


def run_budget(settings: Settings, agent: str) -> RunBudget:
    """Return the limits of each run of an agent: its own, else the general ones."""
    configured = settings.agents.get(agent)
    return configured.budget if configured and configured.budget else settings.budgets.run


def run_limits(settings: Settings, agent: str) -> Limits:
    """Return the budget limits of each run of an agent; `max_cost_per_query` beats every other limit of dollars."""
    budget = run_budget(settings, agent)
    dollars = settings.max_cost_per_query if settings.max_cost_per_query is not None else budget.usd
    return Limits(
        nanousd=None if dollars is None else usd(dollars),
        tokens=budget.tokens,
        calls=budget.calls,
        turn_tool_calls=budget.tool_calls_per_turn,
    )


def wall_us(settings: Settings, agent: str) -> int:
    """Return how long a run of an agent may be running, in microseconds."""
    return int(run_budget(settings, agent).wall_s * SECOND_US)


def _node(settings: Settings, name: str, budget: BudgetLimits, now_us: int) -> Node:
    now = datetime.fromtimestamp(now_us / SECOND_US, UTC).astimezone(ZoneInfo(settings.time_zone))
    limits = Limits(nanousd=None if budget.usd is None else usd(budget.usd), tokens=budget.tokens, calls=budget.calls)
    return Node(name + now.strftime(_FORMATS[budget.period]), limits)
