"""Which budget nodes runs are charged to, in which period, and that changed settings reach nodes that exist."""

from datetime import UTC, datetime

from airside.core.clock import SECOND_US
from airside.runs import budgets
from tests.runs.house import House, house, settings


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


def test_periods_begin_in_the_tenants_time_zone() -> None:
    chosen = settings(
        "memory:",
        time_zone="America/New_York",
        budgets={
            "tenant": {"usd": "10", "period": "month"},
            "business_units": {"eu": {"period": "hour"}},
            "workflows": {"refunds": {"usd": "1", "period": "day"}},
        },
    )
    labels = {"business_unit": "eu", "workflow": "refunds", "customer": "c"}
    nodes = budgets.path(chosen, "default", "run_1", labels, at("2026-12-01T03:30:00"), "shop")
    assert [node.name for node in nodes] == [
        "tenant:default@2026-11",
        "unit:eu@2026-11-30T22",
        "workflow:refunds@2026-11-30",
        "run:run_1",
    ]
    assert nodes[2].limits.nanousd == 1_000_000_000
    assert nodes[3].limits.nanousd == 500_000_000
    assert budgets.path(chosen, "default", "r", {"workflow": "new"}, 0, "shop")[1].name == "workflow:new"


def test_one_setting_beats_every_other_limit_of_a_run() -> None:
    agents = {"shop": {"entry": "a:b", "budget": {"usd": "9", "tokens": 5}}}
    chosen = settings("memory:", agents=agents)
    assert budgets.run_limits(chosen, "shop").nanousd == 9_000_000_000
    chosen = settings("memory:", agents=agents, max_cost_per_query="0.02")
    assert budgets.run_limits(chosen, "shop").nanousd == 20_000_000
    assert budgets.run_limits(chosen, "shop").tokens == 5


async def limit(plane: House) -> tuple[int | None, int]:
    rows = await plane.sql("SELECT limit_nanousd, spent_nanousd FROM budgets WHERE node = 'tenant:default'")
    return rows[0]["limit_nanousd"], rows[0]["spent_nanousd"]


async def test_changed_limits_reach_nodes_that_exist(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/airside.db"
    async with house(url, works=False) as before:
        await before.submit()
        await before.sql("UPDATE budgets SET spent_nanousd = 7")
        assert await limit(before) == (None, 7)
    async with house(url, works=False, budgets={"tenant": {"usd": "3"}}) as after:
        assert await limit(after) == (3_000_000_000, 7)
