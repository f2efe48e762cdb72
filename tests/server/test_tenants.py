"""Tenants share nothing: an admin of one finds nothing of another's on any route, and stops nothing of it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from airside.core.run import Role
from airside.journal import queries
from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of another tenant's admin."""
    add = queries.load("airside.runs", "runs.sql")["add_tenant"]
    await served.plane.database.transact(
        lambda tx: tx.execute(add, tenant_id="other", time_zone="UTC", created_us=tx.now_us)
    )
    _, secret = await served.plane.services.keys.create("other", "admin", Role.ADMIN, "test")
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


async def test_no_route_shows_or_changes_what_is_anothers(served: Served, stranger: httpx2.AsyncClient) -> None:
    run_id = await served.submit("payer", {"to": "bob", "amount_usd": 50})
    await served.until(run_id, "waiting_approval")
    approval_id = (await served.admin.get("/api/v1/approvals")).json()["items"][0]["id"]
    key_id = (await served.admin.get("/api/v1/keys")).json()["items"][-1]["id"]
    batch_id = await _batch(served, run_id)
    kept = await served.admin.post("/api/v1/guards/cases", json={"text": "fine", "run_id": run_id})
    ids = {"run_id": run_id, "approval_id": approval_id, "key_id": key_id, "call_id": "call_x", "batch_id": batch_id}
    ids["case_id"] = kept.json()["case_id"]
    bodies: dict[str, Any] = {
        "decision": {"decision": "approve"},
        "resolve": {"finding": "give_up"},
        "move": {"release": "rel_x"},
        "feedback": {"score": 1},
        "comments": {"text": "hm"},
        "endorsements": {"argument": "to"},
    }
    tried = 0
    for path, methods in (await served.admin.get("/api/v1/openapi.json")).json()["paths"].items():
        for method in methods:
            if "{" not in path:
                continue
            body = bodies.get(path.rpartition("/")[2], {}) if method == "post" else None
            if path == "/api/v1/calls/{call_id}/feedback":
                body = {"score": 1, "run": run_id}
            answer = await stranger.request(method, path.format(**ids, name="x"), json=body)
            assert answer.status_code == 404, (method, path, answer.text)
            tried += 1
    assert tried >= 11
    assert (await served.admin.get(f"/api/v1/batches/{batch_id}")).json()["cancelled"] is False
    assert (await stranger.get("/api/v1/guards/findings", params={"run": run_id})).status_code == 404
    assert len((await served.admin.get("/api/v1/guards/cases")).json()["items"]) == 1
    for path in ("runs", "approvals", "kills", "guards/cases"):
        assert (await stranger.get(f"/api/v1/{path}")).json()["items"] == []
    assert [key["name"] for key in (await stranger.get("/api/v1/keys")).json()["items"]] == ["admin"]
    assert (await served.admin.get(f"/api/v1/runs/{run_id}")).json()["state"] == "waiting_approval"


async def _batch(served: Served, run_id: str) -> str:
    """Write a batch of the installation's own tenant and return its id."""
    add = queries.load("airside.gateways.models.batches", "batches.sql")["add"]
    named = {"tenant_id": served.plane.settings.tenant, "batch_id": "batch_own", "run_id": run_id, "provider": "up"}
    made = {"model": "any", "price_share": "0.5", "items": 1, "digest": b"", "now_us": 1, "due_us": 2**61}
    await served.plane.database.transact(lambda tx: tx.execute(add, **named, **made))
    return "batch_own"


async def test_kills_do_not_reach_across(served: Served, stranger: httpx2.AsyncClient) -> None:
    run_id = await served.submit("payer", {"to": "eve", "amount_usd": 60})
    await served.until(run_id, "waiting_approval")

    assert (await stranger.post("/api/v1/kills", json={"scope": "run", "name": run_id})).status_code == 404
    for kill in ({"scope": "agent", "name": "payer"}, {"scope": "tenant"}):
        assert (await stranger.post("/api/v1/kills", json=kill)).status_code == 201
    everything = await stranger.post("/api/v1/kills", json={"scope": "all"})
    lifted = await stranger.delete("/api/v1/kills", params={"scope": "all"})

    assert (everything.status_code, everything.json()["code"]) == (403, "forbidden")
    assert lifted.status_code == 403
    assert (await served.admin.get("/api/v1/kills")).json()["items"] == []
    assert (await served.admin.get(f"/api/v1/runs/{run_id}")).json()["state"] == "waiting_approval"
    assert (await served.admin.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 200
