"""Proposals known to be bad: like the others until they are decided, never executable, and what they measure."""

import json
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from airside.core.errors import AirsideError, Code
from airside.core.ports import Admitted
from airside.core.run import RunState
from airside.runs.reviewing.filters import Filter
from airside.runs.reviewing.seeds import read
from tests.journal import world
from tests.runs.house import TENANT, House, house
from tests.runs.reviewing import ANN, BOB, asked, refunding, told

NOW = {"seeds": {"rate": 0.5, "delay_s": 0}}
BAD = {"agent": "shop", "tool": "refund", "arguments": {"amount": 9_999}, "rule": "refunds", "because": "over $50"}


async def denied_once(plane: House) -> str:
    """Deny a proposal, so that there is one known to be bad; return its id."""
    run, approval = await asked(plane)
    await plane.services.reviews.deny(TENANT, approval, BOB, reason="a fraud")
    await told(plane, run)
    return approval


async def test_a_bad_proposal_looks_like_any_other_until_it_is_decided(url: str) -> None:
    async with house(url, approvals={"seeds": {"delay_s": 0}}) as plane:
        await denied_once(plane)
        reviews = plane.services.reviews
        _, real = await asked(plane)
        seed = await plane.services.reviewing.seeds.plant(TENANT)
        page = await reviews.page(TENANT, Filter(state="pending"))
        assert {review.approval_id for review in page.reviews} == {real, seed}
        alike = [await reviews.show(TENANT, name) for name in (real, seed)]
        different = {name for name in asdict(alike[0]) if getattr(alike[0], name) != getattr(alike[1], name)}
        assert different == {"approval_id", "run_id", "requested_us", "decide_by_us"}
        assert seed[:4] == real[:4]
        assert len(alike[1].run_id) == len(alike[0].run_id)
        dossier = await plane.services.reviewing.evidence.of(TENANT, seed)
        assert dossier.task == "hello"
        decided = await reviews.approve(TENANT, seed, ANN)
        assert (decided.state, decided.seeded) == ("approved", True)
        assert (await reviews.approve(TENANT, real, ANN)).seeded is False


async def test_nothing_that_is_decided_on_a_bad_proposal_can_leave(url: str) -> None:
    async with house(url, approvals={"seeds": {"delay_s": 0}}) as plane:
        await denied_once(plane)
        seed = await plane.services.reviewing.seeds.plant(TENANT)
        approved = await plane.services.reviews.approve(TENANT, seed, ANN)
        assert approved.use_by_us is None
        assert not await plane.sql("SELECT 1 AS one FROM approvals WHERE approval_id = :id", id=seed)
        assert not await plane.sql("SELECT 1 AS one FROM runs WHERE run_id = :id", id=approved.run_id)
        # A run that asks for the very call finds no approval, and one that names the bad one is refused.
        seen: list[object] = []

        async def naming(plane: House, spec: object) -> bytes:
            who = await plane.identity(spec)  # type: ignore[arg-type]
            call = world.call("refund 80", identity=who, arguments={"amount": 80})
            opening = world.opening(replace(call, approval_id=seed), plane.backend.journal.executor_id)
            seen.append(await plane.backend.journal.open(opening))
            return await refunding(plane, spec)  # type: ignore[arg-type]

        plane.agents["shop"] = naming
        run = await plane.submit()
        await plane.until(run, RunState.WAITING_APPROVAL)
        assert seen
        assert not isinstance(seen[0], Admitted)
        assert seen[0].code is Code.APPROVAL_EXPIRED  # type: ignore[attr-defined]
        calls = await plane.sql("SELECT state FROM calls WHERE approval_id = :id AND state <> 'denied'", id=seed)
        assert calls == []


async def test_catch_rates_are_of_reviewers_and_touch_no_other_figure(url: str) -> None:
    async with house(url, approvals={"seeds": {"delay_s": 0}}) as plane:
        await denied_once(plane)
        seeds, reviews = plane.services.reviewing.seeds, plane.services.reviews
        for person, catches in ((ANN, True), (ANN, False), (BOB, True)):
            seed = await seeds.plant(TENANT)
            if catches:
                await reviews.deny(TENANT, seed, person, reason="no")
            else:
                await reviews.approve(TENANT, seed, person)
            with pytest.raises(AirsideError) as twice:
                await reviews.approve(TENANT, seed, BOB)
            assert twice.value.code is Code.CONFLICT
        found = await plane.services.reviewing.statistics.summary(TENANT, days=1)
        assert [(row["reviewer"], row["catch_rate"]) for row in found["seeded"]] == [("ann", 0.5), ("bob", 1.0)]
        assert found["all"]["asked"] == 1
        cases, _ = await plane.services.reviewing.export.page(TENANT)
        assert len(cases) == 1
        entries = await plane.sql("SELECT body FROM entries WHERE type = 'approval.seed_decided' ORDER BY entry_id")
        assert [json.loads(bytes(row["body"]))["caught"] for row in entries] == [True, False, True]


async def test_seeds_come_at_the_set_rate_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps(BAD) + "\n\n")
    async with house("memory:", approvals={"seeds": {"rate": 0.5, "delay_s": 0, "file": file}}) as plane:
        seeds = plane.services.reviewing.seeds
        draws = iter([0.5, 0.49, 0.0, 0.0])
        seeds._draw = lambda: next(draws)
        assert await seeds.perhaps(TENANT) == ""
        planted = await seeds.perhaps(TENANT)
        shown = await plane.services.reviews.show(TENANT, planted)
        assert (shown.tool, shown.arguments) == ("refund", {"amount": 9_999})
        assert shown.decision["reasons"][0]["because"] == "over $50"
        assert (await plane.services.reviewing.evidence.of(TENANT, planted)).calls == []


async def test_one_that_is_to_come_later_is_not_there_yet(url: str) -> None:
    async with house(url, approvals={"seeds": {"delay_s": 3_600}}) as plane:
        await denied_once(plane)
        seed = await plane.services.reviewing.seeds.plant(TENANT)
        assert seed
        assert not (await plane.services.reviews.page(TENANT, Filter(state="pending"))).reviews
        with pytest.raises(AirsideError) as error:
            await plane.services.reviews.approve(TENANT, seed, ANN)
        assert error.value.code is Code.NOT_FOUND
        await plane.sql("UPDATE approval_seeds SET requested_us = 1, decide_by_us = 2")
        await plane.services.reviewing.escalation.tidy()
        assert (await plane.services.reviews.show(TENANT, seed)).state == "expired"
        assert not (await plane.services.reviewing.statistics.summary(TENANT, days=1))["seeded"]


@pytest.mark.parametrize("text", ["", "{", '{"agent":"a"}', json.dumps(BAD | {"more": 1}), json.dumps([BAD])])
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    with pytest.raises(AirsideError) as error:
        read(file)
    assert error.value.code is Code.MISCONFIGURED
    assert "bad.jsonl" in error.value.message
