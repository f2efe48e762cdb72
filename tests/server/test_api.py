"""The management API over real HTTP: runs, events, idempotency, approvals, kills, keys, and bad input."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from airside.core.ports import Query, Transaction
from tests.server.conftest import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def events(client: httpx2.AsyncClient, run_id: str, last: str = "") -> list[tuple[int, dict[str, Any]]]:
    """Read a run's event stream to its end."""
    found, version = [], 0
    headers = {"last-event-id": last} if last else {}
    async with client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                version = int(value)
            elif name == "data":
                found.append((version, json.loads(value)))
    return found


async def test_a_submitted_run_is_accepted_at_once_and_its_result_follows(served: Served) -> None:
    answer = await served.admin.post("/api/v1/runs", json={"agent": "hello", "input": "hi"})
    assert answer.status_code == 202
    run = answer.json()
    assert run["state"] == "queued"
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    seen = await events(served.admin, run["id"])
    assert [event["state"] for _, event in seen] == ["queued", "running", "succeeded"]
    shown = (await served.admin.get(answer.headers["location"])).json()
    assert (shown["state"], shown["budget"]["calls"]["spent"]) == ("succeeded", 1)
    assert float(shown["budget"]["usd"]["spent"]) > 0
    result = (await served.admin.get(f"/api/v1/runs/{run['id']}/result")).json()
    assert "scripted" in result["result"]
    calls = (await served.admin.get(f"/api/v1/runs/{run['id']}/calls")).json()["items"]
    assert [(call["kind"], call["state"], call["upstream"]) for call in calls] == [("model", "ok", "scripted")]
    path = (await served.admin.get(f"/api/v1/runs/{run['id']}/budget")).json()["path"]
    assert [node["node"] for node in path] == ["tenant:default", f"run:{run['id']}"]


async def test_events_resume_after_the_last_one_seen(served: Served) -> None:
    run_id = await served.submit("hello", "hi")
    seen = await events(served.admin, run_id)
    versions = [version for version, _ in seen]
    assert versions == [1, 2, 3]
    assert [version for version, _ in await events(served.admin, run_id, "1")] == [2, 3]
    assert await events(served.admin, run_id, "3") == []
    bad = await served.admin.get(f"/api/v1/runs/{run_id}/events", headers={"last-event-id": "x"})
    assert (bad.status_code, bad.json()["code"]) == (400, "invalid_request")


async def test_the_stream_tells_of_changes_while_they_happen(served: Served) -> None:
    run_id = await served.submit("sleeper")
    following = asyncio.create_task(events(served.admin, run_id))
    await served.until(run_id, "running")
    assert not following.done()
    await served.admin.post(f"/api/v1/runs/{run_id}/cancel")
    seen = await asyncio.wait_for(following, 10)
    assert seen[-1][1]["state"] == "cancelled"


async def test_one_idempotency_key_makes_one_run(served: Served) -> None:
    body = {"agent": "hello", "input": {"n": 1}}
    headers = {"idempotency-key": "one"}
    answers = await asyncio.gather(*[served.admin.post("/api/v1/runs", json=body, headers=headers) for _ in range(8)])
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await served.admin.post("/api/v1/runs", json=body | {"input": {"n": 2}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"agent":"hello","agent":"sleeper"}', 400, "invalid_request"),
        (b'{"agent":"hello","input":NaN}', 400, "invalid_request"),
        (b'{"agent":"hello"', 400, "invalid_request"),
        (b'{"agent":"hello","surprise":1}', 400, "invalid_request"),
        (b'{"agent":7}', 400, "invalid_request"),
        (b'{"agent":"hello","priority":"1"}', 400, "invalid_request"),
        (b'{"agent":"hello","labels":{"colour":"red"}}', 400, "invalid_request"),
        (b'{"agent":"hello","webhook_url":"ftp://x"}', 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b"", 400, "invalid_request"),
        (b"\xff\xfe", 400, "invalid_request"),
        (b'{"agent":"nobody"}', 404, "unknown_agent"),
        (b'{"agent":"hello","input":"' + b"x" * 200_000 + b'"}', 413, "limit_exceeded"),
        (b'{"agent":"hello","input":' + b"[" * 5_000 + b"]" * 5_000 + b"}", 413, "limit_exceeded"),
        (b'{"agent":"hello","input":"\\ud800"}', 400, "invalid_request"),
    ],
)
async def test_bad_bodies_are_refused_in_one_shape(served: Served, body: bytes, status: int, code: str) -> None:
    answer = await served.admin.post("/api/v1/runs", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "advice", "details"} <= answer.json().keys()


async def test_what_was_sent_is_not_repeated(served: Served) -> None:
    answer = await served.admin.post("/api/v1/runs", json={"agent": {"secret": "hunter2"}})
    assert answer.status_code == 400
    assert "body.agent" in answer.json()["detail"]
    assert "hunter2" not in answer.text


async def test_other_content_types_paths_and_methods(served: Served) -> None:
    plain = await served.admin.post(
        "/api/v1/runs", content=b'{"agent":"hello"}', headers={"content-type": "text/plain"}
    )
    assert (plain.status_code, plain.json()["code"]) == (400, "invalid_request")
    nowhere = await served.admin.get("/api/v1/nothing")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    method = await served.admin.put("/api/v1/agents")
    assert (method.status_code, method.json()["code"], method.headers["allow"]) == (405, "invalid_request", "GET")
    unknown = await served.admin.get("/api/v1/runs/run_00000000000000000000000000")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_pages_cover_everything_once(served: Served) -> None:
    made = {await served.submit("hello", n) for n in range(5)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await served.admin.get("/api/v1/runs", params={"limit": 2, "cursor": cursor})).json()
        assert len(page["items"]) <= 2
        seen += [run["id"] for run in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert made <= set(seen)
    for query in ({"limit": 201}, {"limit": 0}, {"cursor": "x"}, {"state": "odd"}):
        assert (await served.admin.get("/api/v1/runs", params=query)).status_code == 400, query


async def test_a_result_that_is_not_there_yet_is_a_conflict(served: Served) -> None:
    run_id = await served.submit("sleeper")
    answer = await served.admin.get(f"/api/v1/runs/{run_id}/result")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    await served.admin.post(f"/api/v1/runs/{run_id}/cancel")
    await served.until(run_id, "cancelled")
    assert (await served.admin.get(f"/api/v1/runs/{run_id}/result")).json()["result"] is None
    again = await served.admin.post(f"/api/v1/runs/{run_id}/resolve", json={"finding": "give_up"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_small_payment_passes_and_a_large_one_waits_and_is_edited(served: Served) -> None:
    small = await served.submit("payer", {"to": "ann", "amount_usd": 5})
    assert (await served.until(small, "succeeded", "failed"))["state"] == "succeeded"
    large = await served.submit("payer", {"to": "bob", "amount_usd": 50})
    await served.until(large, "waiting_approval")
    (listed,) = (await served.admin.get("/api/v1/approvals", params={"state": "pending", "run": large})).json()["items"]
    shown = (await served.admin.get(f"/api/v1/approvals/{listed['id']}")).json()
    assert shown["arguments"] == {"to": "bob", "amount_usd": 50}
    assert shown["decision"]["reasons"][0]["rule"] == "large"
    reviewer = served.clients["reviewer"]
    decision = {"decision": "approve", "reason": "half", "arguments": {"to": "bob", "amount_usd": 25}}
    where = f"/api/v1/approvals/{listed['id']}/decision"
    answers = await asyncio.gather(*[reviewer.post(where, json=decision) for _ in range(2)])
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    run = await served.until(large, "succeeded", "failed")
    assert run["state"] == "succeeded", run
    result = (await served.admin.get(f"/api/v1/runs/{large}/result")).json()["result"]
    assert "25" in json.dumps(result)


async def test_a_run_whose_release_is_gone_is_moved_to_the_present_one(served: Served) -> None:
    run_id = await served.submit("payer", {"to": "bob", "amount_usd": 50})
    current = (await served.until(run_id, "waiting_approval"))["release"]
    refused = await served.admin.post(f"/api/v1/runs/{run_id}/move", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")

    async def lose(tx: Transaction) -> int:
        columns = "state = 'parked', release = 'rel_gone', ready_us = 4000000000000000"
        return await tx.execute(Query("test:lose", f"UPDATE runs SET {columns} WHERE run_id = :id"), id=run_id)

    assert await served.plane.database.transact(lose) == 1
    unknown = await served.admin.post(f"/api/v1/runs/{run_id}/move", json={"release": "rel_never"})
    assert (unknown.status_code, unknown.json()["code"]) == (503, "release_unavailable")
    moved = await served.admin.post(f"/api/v1/runs/{run_id}/move", json={})
    assert (moved.status_code, moved.json()["release"]) == (200, current)
    await served.until(run_id, "waiting_approval")


async def test_a_denied_payment_tells_the_agent(served: Served) -> None:
    run_id = await served.submit("payer", {"to": "eve", "amount_usd": 99})
    await served.until(run_id, "waiting_approval")
    (listed,) = (await served.admin.get("/api/v1/approvals", params={"run": run_id})).json()["items"]
    where = f"/api/v1/approvals/{listed['id']}/decision"
    odd = await served.admin.post(where, json={"decision": "deny", "arguments": {}})
    assert odd.status_code == 400
    denied = await served.admin.post(where, json={"decision": "deny", "reason": "not eve"})
    assert denied.json()["state"] == "denied"
    run = await served.until(run_id, "failed", "succeeded")
    assert (run["state"], run["code"]) == ("failed", "approval_denied")


async def test_a_kill_stops_and_lifting_lets_go(served: Served) -> None:
    run_id = await served.submit("sleeper")
    await served.until(run_id, "running")
    killed = await served.admin.post("/api/v1/kills", json={"scope": "agent", "name": "sleeper", "reason": "test"})
    assert killed.status_code == 201
    assert killed.json()["runs_ended"] >= 1
    assert (await served.until(run_id, "cancelled"))["code"] == "killed"
    refused = await served.admin.post("/api/v1/runs", json={"agent": "sleeper"})
    assert (refused.status_code, refused.json()["code"]) == (403, "killed")
    in_force = (await served.admin.get("/api/v1/kills")).json()["items"]
    assert [(kill["scope"], kill["name"]) for kill in in_force] == [("agent", "sleeper")]
    lifted = await served.admin.delete("/api/v1/kills", params={"scope": "agent", "name": "sleeper"})
    assert lifted.status_code == 200
    again = await served.admin.delete("/api/v1/kills", params={"scope": "agent", "name": "sleeper"})
    assert again.status_code == 404
    assert (await served.admin.post("/api/v1/kills", json={"scope": "all", "name": "x"})).status_code == 400


async def test_keys_are_made_shown_once_and_revoked(served: Served) -> None:
    made = await served.admin.post("/api/v1/keys", json={"name": "temporary", "role": "viewer"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    headers = {"authorization": f"Bearer {key['secret']}"}
    assert (await served.clients["none"].get("/api/v1/agents", headers=headers)).status_code == 200
    listed = await served.admin.get("/api/v1/keys")
    assert key["secret"] not in listed.text
    assert key["id"] in listed.text
    assert (await served.admin.delete(f"/api/v1/keys/{key['id']}")).status_code == 200
    assert (await served.clients["none"].get("/api/v1/agents", headers=headers)).status_code == 401
    assert (await served.admin.delete(f"/api/v1/keys/{key['id']}")).status_code == 404
    own = next(item["id"] for item in listed.json()["items"] if item["name"] == "admin")
    assert (await served.admin.delete(f"/api/v1/keys/{own}")).status_code == 409


async def test_probes_and_agents(served: Served) -> None:
    nobody = served.clients["none"]
    assert (await nobody.get("/healthz")).json() == {"status": "ok"}
    assert (await nobody.get("/readyz")).json() == {"status": "ready"}
    agents = (await served.admin.get("/api/v1/agents")).json()["items"]
    assert [agent["name"] for agent in agents] == ["hello", "intruder", "payer", "sleeper"]
    assert all(agent["release"].startswith("rel_") for agent in agents)


async def test_the_unix_socket_serves_the_same(served: Served) -> None:
    transport = httpx2.AsyncHTTPTransport(uds=served.socket_path)
    async with httpx2.AsyncClient(transport=transport, base_url="http://airside") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/v1/models")).status_code == 401


@pytest.mark.parametrize("value", ["a\x00b", "line\nbreak", "\u202eevil"])
async def test_labels_that_cannot_be_printed_are_refused(served: Served, value: str) -> None:
    task = {"agent": "hello", "input": None, "labels": {"workflow": value}}
    answer = await served.admin.post("/api/v1/runs", json=task)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
