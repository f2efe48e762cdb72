"""What must be the same in every attempt of a run: random numbers, identifiers and the time."""

import json

from .conftest import RECORDED_US, START_US


async def test_every_attempt_draws_and_reads_the_same(run):
    first, second = [json.loads((await run("numbers", attempt=number)).result) for number in (1, 2)]
    assert first["drawn"] == second["drawn"]
    assert first["before"] == second["before"]
    assert first["before"][0] == START_US / 1e6
    assert first["before"][1] == START_US * 1_000
    assert first["before"][2].startswith("2023-11-14 22:13:20")
    assert first["after"] == second["after"] == RECORDED_US / 1e6
    assert len(set(first["drawn"])) == 4
    assert 0.005 < first["slept"] < 20


async def test_another_run_draws_others(run):
    first, second = [json.loads((await run("numbers", seed=seed)).result) for seed in (7, 8)]
    assert not set(map(str, first["drawn"])) & set(map(str, second["drawn"]))


async def test_a_real_clock_is_left_alone(run):
    seen = json.loads((await run("numbers", clock="real")).result)
    assert seen["before"][0] > 1_750_000_000
    assert seen["after"] >= seen["before"][0]
