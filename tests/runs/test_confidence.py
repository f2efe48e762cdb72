"""Confidence unlocks nothing until reviews have shown what it is worth, and then exactly what the bands say (F9)."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from airside.core.call import Effect
from airside.core.ids import new_id
from airside.core.policy import Decision, Facts, Reason, Verdict
from airside.core.ports import Transaction
from airside.core.run import RunState
from airside.core.tool import Tool
from airside.journal.queries import load
from airside.policy import parse
from airside.runs.isolation.port import AttemptSpec
from airside.runs.reviewing.confidence import Band
from airside.runs.reviewing.filters import Filter
from tests.journal import world
from tests.runs.house import ASK, TENANT, House, house
from tests.runs.reviewing import asked

SHOP = {"agents": {"shop": {"argument": "sure"}}, "review_share": 0}
REFUND = Tool(name="refund", description="", schema={}, effect=Effect.WRITE, declared=True)
BANDS = """
rules:
  - {name: sure, then: allow, tools: [refund], confidence: {above: 0.9}}
  - {name: not-sure, then: ask, tools: [refund], confidence: {at_most: 0.9}}
  - {name: unsure, then: ask, tools: [refund], confidence: {below: 0.6}, escalate: true}
"""


async def history(plane: House, run_id: str, decisions: list[tuple[float, str]]) -> None:
    """Write decisions of people on calls that came with a confidence."""
    add = load("airside.runs", "approvals.sql")["add"]
    decided = load("airside.runs", "approvals.sql")["decide"]

    async def body(tx: Transaction) -> None:
        for said, state in decisions:
            columns: dict[str, Any] = dict.fromkeys(("risk", "rank_us", "step", "floor"), 0)
            columns |= {"about": "{}", "tool_hash": None, "required": 1, "escalate_us": None, "calibrated": None}
            columns |= {"tenant_id": TENANT, "approval_id": new_id("apr"), "run_id": run_id, "call_id": "c"}
            columns |= {"tool": "refund", "request_hash": b"h", "canonical_version": 1, "arguments": b"a"}
            columns |= {"decision": "{}", "attempt": 1, "decide_by_us": 2**61, "confidence": said}
            await tx.execute(add, **columns, now_us=tx.now_us)
            await tx.execute(
                decided,
                tenant_id=TENANT,
                approval_id=columns["approval_id"],
                state=state,
                reason="",
                decided_by="ann",
                now_us=tx.now_us,
                use_by_us=None,
                edited_arguments=None,
            )

    await plane.backend.database.transact(body)


GOOD = [(0.95, "approved")] * 40 + [(0.5, "denied")] * 30
LUCK = [(0.95, "approved")] * 30 + [(0.95, "denied")] * 30


async def worth(plane: House, sure: object, *, wishes: dict[str, str] | None = None) -> float | None:
    """Return what the witness says of a call."""
    found: list[float | None] = []

    async def looking(plane: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        call = world.call("r", identity=who, arguments={"sure": sure}, wishes=wishes or {})
        facts = await plane.services.reviewing.calibrations(call, REFUND, Facts())
        found.append(facts.confidence)
        return b"null"

    plane.agents["shop"] = looking
    run = await plane.submit()
    await plane.until(run, RunState.SUCCEEDED)
    return found[0]


async def test_nothing_is_known_before_people_have_decided_enough(url: str) -> None:
    async with house(url, approvals={"confidence": SHOP}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, [(1.0, "approved")] * 49)
        assert await worth(plane, 1.0) is None


async def test_it_is_worth_what_people_decided(url: str) -> None:
    async with house(url, approvals={"confidence": SHOP}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, GOOD)
        assert await worth(plane, 0.99) == pytest.approx(41 / 42)
        assert await worth(plane, 0.6) == pytest.approx(1 / 32)
        report = await plane.services.reviewing.calibrations.report(TENANT, "shop", "refund")
        assert (report["samples"], report["calibrated"]) == (70, True)
        assert report["worth"]["ece"] < report["said"]["ece"]


@pytest.mark.parametrize("sure", ["0.99", True, -1, 2, 1e400, None, [1], {"a": 1}])
async def test_what_is_no_confidence_counts_for_nothing(sure: object) -> None:
    async with house("memory:", approvals={"confidence": SHOP}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, GOOD)
        assert await worth(plane, sure, wishes={"confidence": "1"}) is None


@pytest.mark.parametrize(
    ("header", "known"), [("0.99", True), ("nan", False), ("inf", False), ("", False), ("x", False)]
)
async def test_a_header_counts_where_it_is_said_to(header: str, known: bool) -> None:
    settings = {"agents": {"shop": {"header": True}}, "review_share": 0}
    async with house("memory:", approvals={"confidence": settings}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, GOOD)
        assert (await worth(plane, None, wishes={"confidence": header}) is not None) is (header == "0.99")


async def test_an_agent_that_is_always_sure_unlocks_nothing() -> None:
    async with house("memory:", approvals={"confidence": SHOP}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, LUCK)
        assert await worth(plane, 1.0) == pytest.approx(0.5)


async def test_some_calls_go_to_people_whatever_they_say() -> None:
    async with house("memory:", approvals={"confidence": SHOP | {"review_share": 1}}) as plane:
        run, _ = await asked(plane)
        await history(plane, run.run_id, GOOD)
        assert await worth(plane, 0.99) is None


@pytest.mark.parametrize(
    ("confidence", "verdict", "escalate"),
    [
        (None, Verdict.ASK, True),
        (0.5999999999999999, Verdict.ASK, True),
        (0.6, Verdict.ASK, False),
        (0.9, Verdict.ASK, False),
        (0.9000000000000001, Verdict.ALLOW, False),
    ],
)
async def test_the_documented_rules_have_exact_boundaries(
    confidence: float | None, verdict: Verdict, escalate: bool
) -> None:
    async with house("memory:") as plane:
        decisions: list[Decision] = []

        async def looking(plane: House, spec: AttemptSpec) -> bytes:
            call = world.call("r", identity=await plane.identity(spec), arguments={}, name="refund")
            decisions.append(parse(BANDS).decide(replace(call, facts=Facts(confidence=confidence)), REFUND))
            return b"null"

        plane.agents["shop"] = looking
        await plane.until(await plane.submit(), RunState.SUCCEEDED)
        assert decisions[0].verdict is verdict
        assert any(reason.escalate for reason in decisions[0].reasons) is escalate


@pytest.mark.parametrize(
    ("confidence", "profile", "rule", "floor"),
    [
        (0.59, "default", False, 1),
        (0.6, "default", False, 0),
        (0.79, "finance", False, 1),
        (0.8, "finance", False, 0),
        (None, "default", False, 0),
        (0.95, "default", True, 1),
    ],
)
async def test_what_is_not_sure_enough_goes_past_the_first_group(
    confidence: float | None, profile: str, rule: bool, floor: int
) -> None:
    settings = {
        "escalation": [{"reviewers": ["ann"]}, {"after_s": 60, "role": "admin"}],
        "confidence": {"agents": {"shop": {"profile": profile}}},
    }
    ask = Decision(Verdict.ASK, (Reason("r", Verdict.ASK, "", escalate=rule),), "p") if rule else ASK

    async def asking(plane: House, spec: AttemptSpec) -> bytes:
        who = await plane.identity(spec)
        call = world.call("refund", identity=who, arguments={}, facts=Facts(confidence=confidence))
        await plane.services.approvals.ask(call, ask)
        return b"null"

    async with house("memory:", approvals=settings) as plane:
        plane.agents["shop"] = asking
        await plane.until(await plane.submit(), RunState.WAITING_APPROVAL, RunState.SUCCEEDED)
        (review,) = (await plane.services.reviews.page(TENANT, Filter())).reviews
        assert review.step == floor + 1
        assert ("unsure" in review.risk_factors) is (floor == 1 and not rule)
        assert review.band is {None: Band.UNKNOWN, 0.95: Band.EXECUTE}.get(
            confidence, Band.ESCALATE if floor else Band.REVIEW
        )
        rows = await plane.sql("SELECT floor, about FROM approvals")
        assert rows[0]["floor"] == floor
        assert json.loads(rows[0]["about"])["profile"] == profile
