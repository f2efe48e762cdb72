"""Handoffs: a task for another agent is a run of its own, on the parent's budget, and costs the parent no worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from airside.config.loading import load
from airside.core.errors import AirsideError, Code
from airside.core.ports import Query
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving
from tests.server.conftest import Served

HERE = Path(__file__).parent
POLICY = """
rules:
  - {name: hand-on, then: allow, tools: [ask_clerk, ask_strict_clerk, ask_bound_clerk, ask_middle, again]}
  - {name: own, then: allow, tools: [scribble]}
  - {name: small, then: allow, tools: [pay], amount: {at_most: 10}}
  - {name: large, then: ask, tools: [pay], amount: {above: 10}}
"""


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Any:
    """The address of an empty database of each kind."""
    return "memory:" if request.param == "memory" else request.getfixturevalue("postgres_url")


@asynccontextmanager
async def office(folder: Path, url: str, **more: Any) -> AsyncIterator[Served]:
    """Serve the agents with a single slot, so that a parent that kept its worker would wait for ever."""
    (folder / "policy.yaml").write_text(POLICY)
    handing = ["ask_clerk", "ask_strict_clerk", "ask_bound_clerk", "ask_middle"]
    tools = {"boss": handing, "clerk": ["pay"], "regress": ["again"], "warden": ["pay", "ask_clerk"], "asker": []}
    tools |= {"delegate": ["ask_*"], "middle": ["ask_clerk"], "scribbler": ["pay"]}
    agents = {
        name: {"entry": f"handing_on:{name}", "path": [str(HERE)], "tools": offered} for name, offered in tools.items()
    }
    settings = load(
        None,
        {},
        data_dir=folder / "data",
        database={"url": url},
        server={"port": 0},
        runs={"isolation": "inline", "suspend_grace_s": 0.05, "slots": 1},
        policy={"file": folder / "policy.yaml"},
        tools={"modules": ["tools"], "path": [str(HERE)]},
        agents=agents,
        handoffs={
            "ask_clerk": {"agent": "clerk", "description": "pays"},
            "ask_bound_clerk": {"agent": "clerk", "tools": []},
            "ask_strict_clerk": {
                "agent": "clerk",
                "rules": [{"name": "no-anna", "then": "deny", "arguments": {"to": {"equals": "anna"}}}],
            },
            "ask_middle": {
                "agent": "middle",
                "rules": [
                    {"name": "no-anna", "then": "deny", "tools": ["pay"], "arguments": {"to": {"equals": "anna"}}}
                ],
            },
            "again": {"agent": "regress"},
        },
        **more,
    )
    async with serving(settings, frozenset(Role)) as (plane, address):
        _, secret = await plane.services.keys.create(settings.tenant, "admin", KeyRole.ADMIN, "test")
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(base_url=address.url, headers=headers, timeout=20, trust_env=False) as client:
            yield Served(plane, address.url, address.socket_path, {"admin": client})


async def result(served: Served, run_id: str) -> Any:
    """Return what a run produced."""
    return (await served.admin.get(f"/api/v1/runs/{run_id}/result")).json()["result"]


async def children(served: Served, run_id: str) -> list[dict[str, Any]]:
    """Return the runs that did tasks of a run."""
    runs = (await served.admin.get("/api/v1/runs", params={"limit": 200})).json()["items"]
    return [run for run in runs if run["parent"] == run_id]


async def test_a_task_is_a_run_of_its_own_and_its_result_the_answer(tmp_path: Path, url: str) -> None:
    async with office(tmp_path, url) as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["anna 3", "bert 4"]})
        run = await served.until(run_id, "succeeded", "failed")
        assert run["state"] == "succeeded", run
        answers = await result(served, run_id)
        assert [answer["result"]["paid"] for answer in answers] == ["anna", "bert"]
        made = await children(served, run_id)
        assert {child["id"] for child in made} == {answer["run"] for answer in answers}
        assert all(child["state"] == "succeeded" for child in made)


async def test_tasks_that_are_handed_on_at_once_are_done_together(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        parts = ["anna 1", "bert 2", "carl 3"]
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": parts, "at_once": True})
        assert (await served.until(run_id, "succeeded", "failed"))["state"] == "succeeded"
        assert [answer["result"]["paid"] for answer in await result(served, run_id)] == ["anna", "bert", "carl"]
        assert len(await children(served, run_id)) == 3


async def test_a_parent_waits_while_a_person_looks_at_what_its_clerk_wants(tmp_path: Path, url: str) -> None:
    async with office(tmp_path, url) as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["anna 50"]})
        parked = await served.until(run_id, "parked", "failed")
        assert parked["code"] == "handed_off", parked
        (child,) = await children(served, run_id)
        await served.until(child["id"], "waiting_approval")
        (waiting,) = (await served.admin.get("/api/v1/approvals?state=pending")).json()["items"]
        await served.admin.post(f"/api/v1/approvals/{waiting['id']}/decision", json={"decision": "approve"})
        assert (await served.until(run_id, "succeeded", "failed"))["state"] == "succeeded"
        assert (await result(served, run_id))[0]["result"]["amount_usd"] == 50


async def test_what_a_clerk_may_do_is_no_more_than_was_granted(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_bound_clerk", "parts": ["anna 3"]})
        await served.until(run_id, "succeeded", "failed")
        assert (await result(served, run_id))[0]["result"] == {"refused": "unknown_tool"}


async def test_rules_of_a_handoff_bind_its_task(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_strict_clerk", "parts": ["anna 3", "bert 3"]})
        await served.until(run_id, "succeeded", "failed")
        first, second = await result(served, run_id)
        assert first["result"] == {"refused": "policy_denied"}
        assert second["result"]["paid"] == "bert"


async def test_rules_of_a_handoff_bind_whoever_the_task_is_handed_on_to(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_middle", "parts": ["anna 3", "bert 3"]})
        await served.until(run_id, "succeeded", "failed")
        first, second = await result(served, run_id)
        assert first["result"] == {"refused": "policy_denied"}
        assert second["result"]["paid"] == "bert"


async def test_a_narrower_token_hands_on_no_more_than_it_may_do(tmp_path: Path, url: str) -> None:
    async with office(tmp_path, url) as served:
        refused, paid = [await served.submit("delegate", task) for task in ("anna 3", "bert 3")]
        for run_id in (refused, paid):
            assert (await served.until(run_id, "succeeded", "failed"))["state"] == "succeeded"
        assert await result(served, refused) == {"refused": "policy_denied"}
        assert (await result(served, paid))["paid"] == "bert"
        bodies = Query("test:bodies", "SELECT body FROM entries")
        said = b"".join([bytes(row["body"]) for row in await served.plane.database.read(lambda tx: tx.fetch(bodies))])
        assert b"token:no-anna" in said
        assert b"Anna wrote" not in said, "what an agent writes is content, and the journal holds none"


async def test_a_token_for_some_tools_is_for_no_other_of_the_agents_own(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("scribbler")
        await served.until(run_id, "succeeded", "failed")
        assert await result(served, run_id) == {"all": "allowed", "named": "allowed", "other": "unknown_tool"}


async def test_a_narrower_token_never_widens(tmp_path: Path, url: str) -> None:
    async with office(tmp_path, url) as served:
        run_id = await served.submit("warden")
        assert (await served.until(run_id, "succeeded", "failed"))["state"] == "succeeded"
        assert await result(served, run_id) == {
            "offered": ["pay"],
            "small": 1,
            "large": "policy_denied",
            "other": "unknown_tool",
            "regained": ["pay"],
            "large_again": "policy_denied",
            "own": 5,
        }


async def test_what_is_no_narrowing_is_refused(tmp_path: Path) -> None:
    refused = [
        {"rules": [{"name": "x", "then": "perhaps"}]},
        {"rules": [{"name": "x", "then": "deny", "tools": ["*"], "unknown": 1}]},
        {"tools": "pay"},
        {"expires_s": -1},
        {"scope": "all"},
        [],
    ]
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("asker", refused)
        await served.until(run_id, "succeeded", "failed")
        assert await result(served, run_id) == ["invalid_request"] * len(refused)


async def test_only_the_token_of_a_run_can_be_narrowed(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        _, key = await served.plane.services.keys.create("default", "script", KeyRole.AGENT, "test")
        for secret, expected in ((key, "forbidden"), ("rt_" + "0" * 40, "unauthenticated")):
            headers = {"authorization": f"Bearer {secret}"}
            answer = await served.admin.post("/v1/tokens", json={}, headers=headers)
            assert answer.json()["error"]["code"] == expected


async def test_a_task_that_fails_is_a_tool_error_that_names_its_run(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["fail"]})
        failed = await served.until(run_id, "succeeded", "failed")
        (child,) = await children(served, run_id)
        assert failed["state"] == "failed"
        assert child["id"] in failed["message"]


async def test_tasks_are_not_handed_on_for_ever(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("regress", "round and round")
        await served.until(run_id, "succeeded", "failed")
        runs = (await served.admin.get("/api/v1/runs", params={"limit": 200})).json()["items"]
        assert len(runs) == 9
        assert "8 times" in str(await result(served, run_id))


async def test_a_task_is_charged_to_its_parents_budget_too(tmp_path: Path) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["anna 3"]}, labels={"customer": "acme"})
        await served.until(run_id, "succeeded", "failed")
        (child,) = await children(served, run_id)
        record = await served.plane.services.runs.get("default", child["id"])
        path = record.budget_path
        assert f'"run:{run_id}", "run:{child["id"]}"' in path
        assert "customer:acme" in path
        assert record.subject == "customer:acme"


@pytest.mark.parametrize("how", ["kill", "cancel"])
async def test_a_task_ends_with_its_parent(tmp_path: Path, how: str) -> None:
    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["sleep"]})
        await served.until(run_id, "parked")
        (child,) = await children(served, run_id)
        await served.until(child["id"], "running")
        if how == "kill":
            await served.admin.post("/api/v1/kills", json={"scope": "run", "name": run_id, "reason": "enough"})
        else:
            await served.admin.post(f"/api/v1/runs/{run_id}/cancel")
        assert (await served.until(run_id, "cancelled"))["state"] == "cancelled"
        assert (await served.until(child["id"], "cancelled"))["state"] == "cancelled"


async def test_a_task_under_way_survives_a_restart_and_is_done_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/airside.db"
    async with office(tmp_path, url) as served:
        run_id = await served.submit("boss", {"tool": "ask_clerk", "parts": ["anna 50"]})
        await served.until(run_id, "parked")
        (child,) = await children(served, run_id)
        await served.until(child["id"], "waiting_approval")
    async with office(tmp_path, url) as served:
        (waiting,) = (await served.admin.get("/api/v1/approvals?state=pending")).json()["items"]
        await served.admin.post(f"/api/v1/approvals/{waiting['id']}/decision", json={"decision": "approve"})
        assert (await served.until(run_id, "succeeded", "failed", "held"))["state"] == "succeeded"
        assert [each["id"] for each in await children(served, run_id)] == [child["id"]]


async def test_an_agent_that_does_not_exist_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(AirsideError) as refused:
        load(None, {}, data_dir=tmp_path, handoffs={"ask": {"agent": "nobody"}})
    assert refused.value.code is Code.MISCONFIGURED
    assert "handoffs.ask.agent" in refused.value.message
