"""Costs by any label are exactly what the calls were charged, and their percentiles are those of the runs."""

from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from math import ceil
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.call import CallKind, CallState
from airside.core.errors import AirsideError
from airside.core.money import NANO_PER_USD
from airside.core.ports import Admitted
from airside.runs.costs import By, Costs, Window
from tests.journal import world
from tests.runs.house import TENANT, House, house

UNLIMITED = {"run": {"usd": None, "tokens": None, "calls": None}}


@pytest.fixture
async def plane(url: str) -> AsyncIterator[House]:
    """A process that executes nothing; runs are moved by the test."""
    async with house(url, works=False, start=False, budgets=UNLIMITED) as found:
        yield found


LABELS = ("business_unit", "workflow", "customer", "user")


async def populate(plane: House, random: Random, runs: int = 12) -> list[dict[str, Any]]:
    """Runs with random labels and calls; returns what each call was charged, with what it belongs to."""
    made: list[dict[str, Any]] = []
    for _ in range(runs):
        labels = {name: random.choice(["a", "b@c", "d'e\"f"]) for name in LABELS if random.random() < 0.7}
        run = await plane.submit(random.choice(["shop", "other"]), labels=labels)
        await plane.sql(
            "INSERT INTO attempts (tenant_id, run_id, attempt, worker_id, token_hash, lease_until_us, started_us)"
            " VALUES (:t, :r, 1, 'w', :h, 4000000000000000, 0)",
            t=TENANT,
            r=run.run_id,
            h=run.run_id.encode(),
        )
        await plane.sql("UPDATE runs SET state = 'running', attempt = 1 WHERE run_id = :r", r=run.run_id)
        who = replace(run, attempt=1).identity(2**60, ())
        for n in range(random.randint(0, 5)):
            kind, name = random.choice([(CallKind.MODEL, "big"), (CallKind.MODEL, "small"), (CallKind.TOOL, "look")])
            call = world.call(f"{n}", identity=who, parts=(), kind=kind, name=name, need=world.Need())
            assert isinstance(await plane.backend.journal.open(world.opening(call)), Admitted)
            cost, tokens = random.choice([0, 1, 999_999_999, random.randint(0, 10**12)]), random.randint(0, 10**6)
            await plane.backend.journal.close(world.closing(call, CallState.OK, cost=cost, tokens=tokens))
            made.append({"run": run.run_id, "agent": run.agent, "tenant": TENANT, **labels, kind.value: name,
                         "cost": cost, "tokens": tokens})  # fmt: skip
        if not n_of(made, run.run_id):
            made.append({"run": run.run_id, "agent": run.agent, "tenant": TENANT, **labels, "cost": 0, "tokens": 0})
    return made


def n_of(made: list[dict[str, Any]], run_id: str) -> int:
    return sum(one["run"] == run_id for one in made)


def expected(made: list[dict[str, Any]], by: By) -> dict[str, tuple[int, int, int, int, int]]:
    """Return runs, cost, tokens and the 95th percentiles of both, by the naive way."""
    per_run: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for one in made:
        if by in {By.MODEL, By.TOOL} and by.value not in one:
            continue
        sums = per_run[one.get(by.value, "")][one["run"]]
        sums[0] += one["cost"]
        sums[1] += one["tokens"]

    def p95(values: list[int]) -> int:
        return sorted(values)[ceil(len(values) * 95 / 100) - 1]

    return {
        item: (
            len(runs),
            sum(cost for cost, _ in runs.values()),
            sum(tokens for _, tokens in runs.values()),
            p95([cost for cost, _ in runs.values()]),
            p95([tokens for _, tokens in runs.values()]),
        )
        for item, runs in per_run.items()
    }


def nano(text: str) -> int:
    return int(Decimal(text) * NANO_PER_USD)


@pytest.mark.parametrize("seed", range(2))
async def test_sums_by_anything_are_exactly_those_of_the_calls(plane: House, seed: int) -> None:
    made = await populate(plane, Random(seed))
    costs = Costs(plane.backend.database)
    for by in By:
        items, cursor = await costs.page(TENANT, by, Window(), limit=200)
        found = {
            item["item"]: (
                item["runs"],
                nano(item["cost_usd"]),
                item["tokens"],
                nano(item["run_p95_usd"]),
                item["run_p95_tokens"],
            )
            for item in items
        }
        assert found == expected(made, by), by
        assert not cursor
        dearest = [nano(item["cost_usd"]) for item in items]
        assert dearest == sorted(dearest, reverse=True)


async def test_pages_hold_everything_once_and_windows_and_tenants_are_kept_apart(plane: House) -> None:
    await populate(plane, Random(7), runs=9)
    costs = Costs(plane.backend.database)
    seen, cursor = [], ""
    while True:
        items, cursor = await costs.page(TENANT, By.RUN, Window(), cursor=cursor, limit=2)
        seen += [item["item"] for item in items]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 9
    assert await costs.page("other", By.RUN, Window()) == ([], "")
    assert await costs.page(TENANT, By.RUN, Window(until_us=5)) == ([], "")
    with pytest.raises(AirsideError):
        await costs.page(TENANT, By.RUN, Window(), cursor="drop table")


async def test_absurd_amounts_add_up_instead_of_breaking_the_report(plane: House) -> None:
    run = await plane.submit()
    for n in range(40):
        await plane.sql(
            "INSERT INTO calls (tenant_id, run_id, call_id, kind, name, effect, idempotent, state, request_hash,"
            " occurrence, consumed, delivered, attempt, try_number, executor_id, budget_path, reserved_nanousd,"
            " reserved_tokens, output_tokens_granted, cost_nanousd, tokens, upstream, code, message, approval_id,"
            " edited, opened_us) VALUES (:t, :r, :c, 'model', 'm', 'read', 1, 'ok', :h, 0, 1, 1, 1, 1, '', '[]', 0, 0,"
            " 0, :cost, 0, '', '', '', '', 0, 0)",
            t=TENANT,
            r=run.run_id,
            c=f"call_{n}",
            h=str(n).encode(),
            cost=2**57,
        )
    items, _ = await Costs(plane.backend.database).page(TENANT, By.MODEL, Window())
    assert nano(items[0]["cost_usd"]) == 40 * 2**57
