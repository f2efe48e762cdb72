"""Which budget nodes a run is charged to, and their limits. Pure: settings and an instant in, nodes out.

A scope is what a budget is for (`customer:acme`); a node is a scope in one period (`customer:acme@2026-11`). Periods
begin in the time zone of the settings. `@` and `%` in names are written `%40` and `%25`, so that no name reads like
another one with a period.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from airside.config.budgets import BudgetLimits, RunBudget
from airside.config.settings import Settings
from airside.core.budget import Limits
from airside.core.clock import SECOND_US
from airside.core.money import usd

_FORMATS = {"none": "", "hour": "@%Y-%m-%dT%H", "day": "@%Y-%m-%d", "month": "@%Y-%m"}
KINDS = ("tenant", "unit", "workflow", "customer")
"""The kinds of nodes above runs, from the top down."""


class Plan(Struct, frozen=True):
    """What a scope may spend in each period."""

    limits: Limits
    period: str = "none"
    carry_over: bool = False


Plans = Mapping[str, Plan]
"""Plans that people have set, by scope; they beat the settings."""


class Node(Struct, frozen=True):
    """A budget node by its id (`workflow:refunds@2026-11`) and what it allows.

    `scope` is empty for runs. `previous` is the node of the period before, if what it has left is carried over.
    """

    name: str
    limits: Limits
    scope: str = ""
    previous: str = ""


def path(settings: Settings, plans: Plans, scopes: Iterable[str], now_us: int) -> list[Node]:
    """Return the nodes of scopes for the periods in which `now_us` falls."""
    return [node_of(settings, plan_of(settings, plans, scope), scope, now_us) for scope in scopes]


def run_node(settings: Settings, run_id: str, agent: str) -> Node:
    """Return the node of a run, which has no period."""
    return Node(f"run:{run_id}", run_limits(settings, agent))


def scopes_of(tenant_id: str, labels: Mapping[str, str]) -> list[str]:
    """Return the scopes above a run, from the tenant down.

    Those that have no limits configured are counted too, so that what they cost can be told.
    """
    found = [f"tenant:{tenant_id}"]
    for kind, label in (("unit", "business_unit"), ("workflow", "workflow"), ("customer", "customer")):
        if name := labels.get(label, ""):
            found.append(scope_named(kind, name))
    return found


def scope_named(kind: str, name: str) -> str:
    """Return the scope of a name, however it is spelled."""
    return f"{kind}:{name.replace('%', '%25').replace('@', '%40')}"


def scope_of(node: str) -> str:
    """Return the scope of a node above runs."""
    return node.partition("@")[0]


def plan_of(settings: Settings, plans: Plans, scope: str) -> Plan:
    """Return what a scope may spend: as set by people, else as configured, else anything."""
    return plans[scope] if scope in plans else configured(settings, scope)


def configured(settings: Settings, scope: str) -> Plan:
    """Return what the settings say of a scope."""
    kind, _, quoted = scope.partition(":")
    name = quoted.replace("%40", "@").replace("%25", "%")
    budgets = settings.budgets
    match kind:
        case "tenant":
            limits = budgets.tenant
        case "unit":
            limits = budgets.business_units.get(name, _UNLIMITED)
        case "workflow":
            limits = budgets.workflows.get(name, _UNLIMITED)
        case _:
            limits = budgets.customers.get(name, budgets.customer)
    dollars = None if limits.usd is None else usd(limits.usd)
    return Plan(Limits(dollars, limits.tokens, limits.calls), limits.period, limits.carry_over)


def node_of(settings: Settings, plan: Plan, scope: str, now_us: int) -> Node:
    """Return the node of a scope for the period in which `now_us` falls."""
    name = scope + period_of(plan.period, settings.time_zone, now_us)
    previous = ""
    if plan.carry_over and plan.period != "none":
        previous = scope + period_before(plan.period, settings.time_zone, now_us)
    return Node(name, plan.limits, scope, previous)


def period_of(period: str, time_zone: str, now_us: int) -> str:
    """Return the part of a node's name that tells its period: empty, or `@2026-11`, `@2026-11-30`, `@2026-11-30T22`.

    The hour that clocks repeat when summer time ends is two periods; the second is written with a `b`.
    """
    return _period(period, time_zone, now_us // (60 * SECOND_US))


def period_before(period: str, time_zone: str, now_us: int) -> str:
    """Return what `period_of` gave in the period before that of `now_us`."""
    now = period_of(period, time_zone, now_us)
    step_us = int(timedelta(minutes=15).total_seconds()) * SECOND_US  # no zone changes by less
    if period != "hour":
        here = datetime.fromtimestamp(now_us / SECOND_US, UTC).astimezone(ZoneInfo(time_zone))
        days = here.day - 1 if period == "month" else 0
        now_us -= int(timedelta(days=max(0, days - 1)).total_seconds()) * SECOND_US
    while (before := period_of(period, time_zone, now_us)) == now:
        now_us -= step_us
    return before


@lru_cache(maxsize=4_096)
def _period(period: str, time_zone: str, minute: int) -> str:
    now = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(time_zone))
    second = "b" if period == "hour" and now.fold else ""
    return now.strftime(_FORMATS[period]) + second


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


_UNLIMITED = BudgetLimits()
