"""Which budget nodes runs are charged to, in which period, and that changed settings reach nodes that exist."""

from datetime import UTC, datetime

import pytest

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
    labels = {"business_unit": "eu", "workflow": "refunds", "customer": "c@d%"}
    scopes = budgets.scopes_of("default", labels)
    nodes = budgets.path(chosen, {}, scopes, at("2026-12-01T03:30:00"))
    assert [node.name for node in nodes] == [
        "tenant:default@2026-11",
        "unit:eu@2026-11-30T22",
        "workflow:refunds@2026-11-30",
        "customer:c%40d%25",
    ]
    assert nodes[2].limits.nanousd == 1_000_000_000
    assert budgets.run_node(chosen, "run_1", "shop").limits.nanousd == 500_000_000
    assert budgets.path(chosen, {}, ["workflow:new"], 0)[0].name == "workflow:new"
    assert [budgets.scope_of(node.name) for node in nodes] == scopes


def test_a_name_cannot_pass_for_another_one_with_a_period() -> None:
    month = {"workflows": {"a": {"period": "month"}}}
    chosen = settings("memory:", budgets=month)
    real = budgets.path(chosen, {}, budgets.scopes_of("t", {"workflow": "a"}), at("2026-11-05T00:00:00"))[1].name
    assert real == "workflow:a@2026-11"
    fake = budgets.path(chosen, {}, budgets.scopes_of("t", {"workflow": "a@2026-11"}), 0)[1].name
    assert fake != real


HOURS = 24 * 366
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
def test_periods_follow_one_another_and_none_comes_back(zone: str) -> None:
    seen: dict[str, set[str]] = {"hour": set(), "day": set(), "month": set()}
    last = dict.fromkeys(seen, "")
    start = at("2011-01-01T00:00:00") if zone == "Pacific/Apia" else at("2026-01-01T00:00:00")
    for half in range(2 * HOURS):
        now_us = start + half * 1_800 * SECOND_US
        for period, known in seen.items():
            name = budgets.period_of(period, zone, now_us)
            if name != last[period]:
                assert name not in known, f"{name} begins twice in {zone}"
                if last[period]:
                    assert budgets.period_before(period, zone, now_us) == last[period]
                known.add(name)
                last[period] = name


def test_no_hour_is_longer_than_an_hour_where_clocks_go_back() -> None:
    names = [budgets.period_of("hour", "America/New_York", at(f"2026-11-01T{hour:02}:30:00")) for hour in (4, 5, 6, 7)]
    assert names == ["@2026-11-01T00", "@2026-11-01T01", "@2026-11-01T01b", "@2026-11-01T02"]


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
