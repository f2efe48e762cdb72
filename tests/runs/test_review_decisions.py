"""Who may decide and when a decision counts: two people, four eyes, the chain, batches, clocks, runs that are gone."""

import asyncio
from typing import Any

import pytest

from airside.core.errors import AirsideError, Code
from airside.core.run import Role, RunState
from airside.runs.reviewing import batch
from airside.runs.reviewing.batch import Item
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.filters import Filter
from tests.runs.house import TENANT, House, house
from tests.runs.reviewing import ANN, ANN_AGAIN, BOB, asked, refunding, told

TWO = {"two_person": [{"tools": ["ref*"]}]}


async def refused(deciding: Any) -> Code:
    with pytest.raises(AirsideError) as error:
        await deciding
    return error.value.code


async def test_two_people_must_agree_and_one_person_is_not_two(url: str) -> None:
    async with house(url, approvals=TWO) as plane:
        run, approval = await asked(plane)
        reviews = plane.services.reviews
        first = await reviews.approve(TENANT, approval, ANN)
        assert (first.state, first.required, [vote.reviewer for vote in first.votes]) == ("pending", 2, ["ann"])
        assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.WAITING_APPROVAL
        assert await refused(reviews.approve(TENANT, approval, ANN)) is Code.CONFLICT
        assert await refused(reviews.approve(TENANT, approval, ANN_AGAIN)) is Code.CONFLICT  # another key of hers
        assert (await reviews.approve(TENANT, approval, BOB)).state == "approved"
        assert (await told(plane, run))["told"] == "Admitted"
        entries = await plane.sql("SELECT type FROM entries WHERE type LIKE 'approval.%' ORDER BY entry_id")
        assert [row["type"] for row in entries] == ["approval.requested", "approval.voted", "approval.decided"]


async def test_two_people_must_agree_to_the_same_arguments(url: str) -> None:
    async with house(url, approvals=TWO) as plane:
        run, approval = await asked(plane)
        reviews = plane.services.reviews
        await reviews.approve(TENANT, approval, ANN, arguments=b'{"amount": 40}')
        assert (await reviews.approve(TENANT, approval, BOB)).state == "pending"  # to something else
        shown = await reviews.show(TENANT, approval)
        assert [(vote.edited, vote.arguments) for vote in shown.votes] == [(True, {"amount": 40}), (False, None)]
        assert (await reviews.approve(TENANT, approval, BOB, arguments=b'{"amount":40}')).state == "approved"
        assert (await told(plane, run))["arguments"] == {"amount": 40}


async def test_one_no_is_enough(url: str) -> None:
    async with house(url, approvals=TWO) as plane:
        run, approval = await asked(plane)
        await plane.services.reviews.approve(TENANT, approval, ANN)
        await plane.services.reviews.deny(TENANT, approval, BOB, reason="no")
        assert (await told(plane, run))["told"] == "denied"


async def test_eight_people_at_once_and_two_votes_decide(url: str) -> None:
    async with house(url, approvals=TWO) as plane:
        run, approval = await asked(plane)
        people = [Person(f"person {n}") for n in range(8)]

        async def one(person: Person) -> str:
            try:
                return (await plane.services.reviews.approve(TENANT, approval, person)).state
            except AirsideError as error:
                return error.code.value

        states = await asyncio.gather(*(one(person) for person in people))
        assert states.count("conflict") == 6
        votes = await plane.sql("SELECT reviewer FROM approval_votes")
        assert len(votes) == 2
        assert (await told(plane, run))["told"] == "Admitted"


async def test_who_submitted_a_run_does_not_approve_its_calls() -> None:
    async with house("memory:", approvals={"four_eyes": ["shop"]}) as plane:
        run, approval = await asked(plane, by="ann")
        assert await refused(plane.services.reviews.approve(TENANT, approval, ANN)) is Code.FORBIDDEN
        assert (await plane.services.reviews.approve(TENANT, approval, BOB)).state == "approved"
        assert (await told(plane, run))["told"] == "Admitted"


async def test_a_part_of_a_run_was_submitted_by_who_submitted_the_run(url: str) -> None:
    async with house(url, approvals={"four_eyes": ["shop"]}) as plane:
        parent, first = await asked(plane, by="ann")
        await plane.services.reviews.deny(TENANT, first, BOB, reason="no")
        await told(plane, parent)
        _, approval = await asked(plane, parent_run_id=parent.run_id)
        assert await refused(plane.services.reviews.approve(TENANT, approval, ANN)) is Code.FORBIDDEN


async def test_who_submitted_a_run_may_still_deny_its_calls() -> None:
    async with house("memory:", approvals={"four_eyes": ["shop"]}) as plane:
        _, approval = await asked(plane, by="ann")
        assert (await plane.services.reviews.deny(TENANT, approval, ANN, reason="my own mistake")).state == "denied"


async def test_nobody_vouches_alone_where_two_must_agree(url: str) -> None:
    async with house(url, approvals=TWO) as plane:
        _, approval = await asked(plane)
        remarks = plane.services.reviewing.remarks
        assert await refused(remarks.endorse(TENANT, approval, ANN, "amount")) is Code.FORBIDDEN
        assert await remarks.endorsed(TENANT, approval) == []


async def test_who_may_not_approve_a_call_does_not_vouch_for_its_values_either() -> None:
    async with house("memory:", approvals={"four_eyes": ["shop"], **CHAIN}) as plane:
        _, approval = await asked(plane, by="ann")
        remarks = plane.services.reviewing.remarks
        assert await refused(remarks.endorse(TENANT, approval, ANN, "amount")) is Code.FORBIDDEN  # her own run
        assert await refused(remarks.endorse(TENANT, approval, BOB, "amount")) is Code.FORBIDDEN  # not of the chain
        assert await remarks.endorsed(TENANT, approval) == []


CHAIN = {"escalation": [{"reviewers": ["ann"]}, {"after_s": 3600, "role": "admin"}]}


async def test_the_chain_lets_the_next_group_decide_when_its_time_has_come(url: str) -> None:
    async with house(url, approvals=CHAIN) as plane:
        _, approval = await asked(plane)
        reviews, chef = plane.services.reviews, Person("chef", "k", Role.ADMIN)
        for person in (BOB, chef):
            assert await refused(reviews.approve(TENANT, approval, person)) is Code.FORBIDDEN
        assert await plane.services.reviewing.escalation.sweep() == 0
        await plane.sql("UPDATE approvals SET escalate_us = 1")
        assert await plane.services.reviewing.escalation.sweep() == 1
        assert await plane.services.reviewing.escalation.sweep() == 0
        shown = await reviews.show(TENANT, approval)
        assert (shown.step, shown.escalate_us) == (2, None)
        assert await refused(reviews.approve(TENANT, approval, BOB)) is Code.FORBIDDEN
        assert (await reviews.approve(TENANT, approval, chef)).state == "approved"


async def test_a_batch_answers_each_for_itself_and_decides_nothing_twice(url: str) -> None:
    async with house(url) as plane:
        (_, first), (run, second) = await asked(plane), await asked(plane)
        items = [
            Item(approval_id=first, decision="approve"),
            Item(approval_id=second, decision="approve"),
            Item(approval_id=second, decision="deny"),
            Item(approval_id="apr_none", decision="deny"),
        ]
        answers = await batch.decide(plane.services.reviews, TENANT, ANN, items)
        assert [answer["ok"] for answer in answers] == [True, False, False, False]
        codes = [answer["error"]["code"] for answer in answers if not answer["ok"]]
        assert codes == ["invalid_request", "invalid_request", "not_found"]
        assert (await plane.services.reviews.show(TENANT, second)).state == "pending"
        again = await batch.decide(plane.services.reviews, TENANT, ANN, items[:1])
        assert again[0]["error"]["code"] == "conflict"
        assert (await plane.services.runs.get(TENANT, run.run_id)).state is RunState.WAITING_APPROVAL
        assert await refused(batch.decide(plane.services.reviews, TENANT, ANN, items * 51)) is Code.LIMIT_EXCEEDED


async def test_a_run_that_is_gone_leaves_nothing_to_decide(url: str) -> None:
    async with house(url) as plane:
        run, approval = await asked(plane)
        await plane.services.runs.cancel(TENANT, run.run_id, "ann")
        assert await refused(plane.services.reviews.approve(TENANT, approval, ANN)) is Code.CONFLICT
        assert await refused(plane.services.reviews.approve(TENANT, "apr_gone", ANN)) is Code.NOT_FOUND


async def test_a_reason_that_is_too_long_decides_nothing(plane: House) -> None:
    _, approval = await asked(plane)
    assert await refused(plane.services.reviews.deny(TENANT, approval, ANN, reason="n" * 2_001)) is Code.LIMIT_EXCEEDED
    assert (await plane.services.reviews.show(TENANT, approval)).state == "pending"


async def test_a_clock_that_was_set_back_hides_nothing_and_counts_no_negative_time(plane: House) -> None:
    _, approval = await asked(plane)
    await plane.sql("UPDATE approvals SET requested_us = requested_us + 3600000000, decide_by_us = decide_by_us + 0")
    page = await plane.services.reviews.page(TENANT, Filter(state="pending"))
    assert [review.approval_id for review in page.reviews] == [approval]
    await plane.services.reviews.approve(TENANT, approval, ANN)
    summary = await plane.services.reviewing.statistics.summary(TENANT, days=1)
    assert summary["all"]["decide_s_p50"] == 0


async def test_pages_by_risk_put_in_front_what_matters_first(plane: House) -> None:
    approvals = [(await asked(plane))[1] for _ in range(3)]
    for number, approval in enumerate(approvals):
        risk = (10, 90, 50)[number]
        rank = f"requested_us - {risk} * CAST(60000000 AS BIGINT)"
        moved = f"UPDATE approvals SET risk = {risk}, rank_us = {rank} WHERE approval_id = :id"
        await plane.sql(moved, id=approval)
    found, cursor = [], ""
    while True:
        page = await plane.services.reviews.page(TENANT, Filter(by_risk=True), cursor=cursor, limit=1)
        found += [review.risk for review in page.reviews]
        cursor = page.cursor
        if not cursor:
            break
    assert found == [90, 50, 10]
    risky = await plane.services.reviews.page(TENANT, Filter(risk_min=50, tool="refund", agent="shop"))
    assert {review.risk for review in risky.reviews} == {50, 90}
    assert not (await plane.services.reviews.page(TENANT, Filter(tool="other"))).reviews


async def test_an_expired_approval_takes_no_vote(plane: House) -> None:
    run, approval = await asked(plane)
    await plane.sql("UPDATE approvals SET decide_by_us = 1")
    assert await refused(plane.services.reviews.approve(TENANT, approval, ANN)) is Code.CONFLICT
    assert not await plane.sql("SELECT 1 AS one FROM approval_votes")
    plane.agents["shop"] = refunding
    await plane.services.sweeper.sweep()
    assert (await told(plane, run))["told"] == "expired"
