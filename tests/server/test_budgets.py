"""Limits, credits and costs over HTTP: who may, what it changes for the next call, and that every sum is exact."""

from decimal import Decimal

import pytest

from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_admins_set_limits_and_give_credit(served: Served) -> None:
    for role in ("none", "agent", "viewer", "reviewer", "operator"):
        client = served.clients[role]
        expected = 401 if role == "none" else 403
        limits = await client.put("/api/v1/budgets/limits", json={"name": "tenant", "usd": "1"})
        credit = await client.post("/api/v1/budgets/credits", json={"name": "tenant", "usd": "1"})
        assert (limits.status_code, credit.status_code) == (expected, expected), role


async def test_a_customers_limit_stops_it_and_a_credit_lets_it_go_on(served: Served) -> None:
    admin = served.admin
    named = {"name": "customer:a@b.example", "usd": "0", "period": "month"}
    set_ = await admin.put("/api/v1/budgets/limits", json=named)
    assert (set_.status_code, set_.json()["usd"]) == (200, "0.000000000")
    node = set_.json()["node"]
    assert node.startswith("customer:a%40b.example@")
    run = await served.submit("hello", "hi", labels={"customer": "a@b.example"})
    stopped = await served.until(run, "partial", "failed", "succeeded")
    assert (stopped["state"], stopped["code"]) == ("partial", "budget_exhausted"), stopped
    given = await admin.post(
        "/api/v1/budgets/credits",
        json={"name": "customer:a@b.example", "usd": "5.25", "note": "sorry"},
        headers={"idempotency-key": "once"},
    )
    assert (given.status_code, given.json()["node"], given.json()["note"]) == (201, node, "sorry")
    run = await served.submit("hello", "hi", labels={"customer": "a@b.example"})
    assert (await served.until(run, "partial", "failed", "succeeded"))["state"] == "succeeded"
    path = (await admin.get(f"/api/v1/runs/{run}/budget")).json()["path"]
    assert [one["usd"]["limit"] for one in path if one["node"] == node] == ["5.250000000"]
    listed = (await admin.get("/api/v1/budgets/credits", params={"name": "customer:a@b.example"})).json()
    assert [(one["usd"], one["note"]) for one in listed["items"]] == [("5.250000000", "sorry")]


async def test_costs_are_those_of_the_calls_by_any_label(served: Served) -> None:
    labels = {"customer": "exact", "workflow": "w"}
    run = await served.submit("hello", "what does it cost?", labels=labels)
    await served.until(run, "succeeded")
    calls = (await served.admin.get(f"/api/v1/runs/{run}/calls")).json()["items"]
    total = sum(Decimal(call["cost_usd"]) for call in calls)
    assert total > 0
    found = (await served.clients["viewer"].get("/api/v1/costs", params={"by": "customer"})).json()["items"]
    (mine,) = [item for item in found if item["item"] == "exact"]
    assert (Decimal(mine["cost_usd"]), mine["runs"], mine["calls"]) == (total, 1, len(calls))
    report = (await served.clients["viewer"].get("/api/v1/costs/tokens", params={"agent": "hello"})).json()
    assert report["calls"] >= 1
    assert report["input_tokens"] > 0


@pytest.mark.parametrize(
    "body",
    [
        {"name": "customer:x", "usd": "-1"},
        {"name": "customer:x", "usd": "NaN"},
        {"name": "customer:x", "usd": "1e30"},
        {"name": "customer:x", "usd": 5},
        {"name": "run:x", "usd": "1"},
        {"name": "tenant:other", "usd": "1"},
        {"name": "customer:x", "tokens": -1},
        {"name": "customer:x", "period": "year"},
    ],
)
async def test_nonsense_is_refused(served: Served, body: dict[str, object]) -> None:
    answer = await served.admin.put("/api/v1/budgets/limits", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
