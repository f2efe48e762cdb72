"""Reviewing over real HTTP: evidence, edits, endorsements, batches, signed links, and who may see what."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from airside.config.loading import load
from airside.core.ports import Query
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving
from tests.server.conftest import HERE, Served, _client_maker

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """
rules:
  - {name: reads, then: allow, tools: [find]}
  - {name: payments, then: ask, tools: [pay], because: a person looks at payments}
  - {name: large, then: ask, tools: [pay], amount: {above: 500}, approvals: 2, because: two look at large ones}
  - {name: huge, then: deny, tools: [pay], amount: {above: 1000}, because: nobody pays so much}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server whose agent thinks, looks up and pays."""
    folder = tmp_path_factory.mktemp("airside")
    (folder / "policy.yaml").write_text(POLICY)
    agent = {"entry": "review_agents:careful", "path": [str(HERE)], "model": "any", "tools": ["find", "pay"]}
    settings = load(
        None,
        {},
        data_dir=folder / "data",
        database={"url": "memory:"},
        server={"port": 0},
        runs={"isolation": "inline", "suspend_grace_s": 0.05},
        policy={"file": folder / "policy.yaml", "reload_s": 0.1},
        tools={"modules": ["review_tools"], "path": [str(HERE)]},
        agents={"careful": agent},
    )
    async with AsyncExitStack() as stack:
        plane, address = await stack.enter_async_context(serving(settings, frozenset(Role)))
        client = _client_maker(stack, address.url)
        clients = {"none": await client("")}
        for role in KeyRole:
            _, secret = await plane.services.keys.create(settings.tenant, role.value, role, "test")
            clients[role.value] = await client(secret)
        yield Served(plane, address.url, address.socket_path, clients)


async def asked(served: Served, **task: Any) -> tuple[str, str]:
    """Return a run that waits, and its approval."""
    run = await served.submit("careful", {"to": "bob", "amount_usd": 50} | task)
    await served.until(run, "waiting_approval")
    (item,) = (await served.admin.get("/api/v1/approvals", params={"run": run, "order": "risk"})).json()["items"]
    return run, str(item["id"])


async def result(served: Served, run: str) -> Any:
    ended = await served.until(run, "succeeded", "failed")
    assert ended["state"] == "succeeded", ended
    return (await served.admin.get(f"/api/v1/runs/{run}/result")).json()["result"]


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_reviewers_see_what_led_to_it_and_viewers_see_no_content(served: Served) -> None:
    _, approval = await asked(served)
    where = f"/api/v1/approvals/{approval}"
    reviewer, viewer = served.clients["reviewer"], served.clients["viewer"]
    shown = (await reviewer.get(where)).json()
    assert shown["arguments"] == {"to": "bob", "amount_usd": 50}
    assert shown["risk"] == sum(shown["risk_factors"].values()) >= 50
    assert shown["seeded"] is None
    hidden = (await viewer.get(where)).json()
    assert hidden["arguments"] is None
    assert hidden["risk"] == shown["risk"]
    assert problem(await viewer.get(f"{where}/evidence")) == (403, "forbidden")
    dossier = (await reviewer.get(f"{where}/evidence")).json()
    assert dossier["task"] == {"to": "bob", "amount_usd": 50}
    assert "scripted" in dossier["reasoning"]
    (found,) = dossier["calls"]
    assert (found["tool"], found["arguments"]) == ("find", {"name": "bob"})
    assert "DE00 1234" in found["result"]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({"to": "bob"}, (400, "invalid_arguments")),
        ({"to": 3, "amount_usd": 5}, (400, "invalid_arguments")),
        ({"to": "bob", "amount_usd": 5, "more": 1}, (400, "invalid_arguments")),
        ({"to": "bob", "amount_usd": 1_000.01}, (403, "policy_denied")),
    ],
)
async def test_an_edit_that_cannot_work_is_refused_when_it_is_saved(
    served: Served, edit: dict[str, Any], code: tuple[int, str]
) -> None:
    run, approval = await asked(served)
    where = f"/api/v1/approvals/{approval}/decision"
    assert problem(await served.admin.post(where, json={"decision": "approve", "arguments": edit})) == code
    assert (await served.admin.get(f"/api/v1/approvals/{approval}")).json()["state"] == "pending"
    edited = {"to": "bob", "amount_usd": 20}
    answer = await served.admin.post(where, json={"decision": "approve", "arguments": edited})
    assert answer.status_code == 200
    assert [
        row["argument"] for row in (await served.admin.get(f"/api/v1/approvals/{approval}")).json()["endorsed"]
    ] == ["amount_usd"]
    assert "20" in str(await result(served, run))


async def test_an_edit_into_what_two_must_agree_to_takes_two(served: Served) -> None:
    run, approval = await asked(served)
    where = f"/api/v1/approvals/{approval}/decision"
    large = {"decision": "approve", "arguments": {"to": "bob", "amount_usd": 900}}
    assert (await served.admin.post(where, json=large)).json()["state"] == "pending"
    assert (await served.clients["reviewer"].post(where, json=large)).json()["state"] == "approved"
    assert "900" in str(await result(served, run))


async def test_a_policy_that_has_changed_meanwhile_is_asked_again(served: Served) -> None:
    run, approval = await asked(served)
    file = served.plane.settings.policy.file
    assert file is not None
    await rules(served, file, POLICY + "  - {name: stop, then: deny, tools: [pay]}\n")
    try:
        answer = await served.admin.post(f"/api/v1/approvals/{approval}/decision", json={"decision": "approve"})
        assert answer.json()["state"] == "approved"
        ended = await served.until(run, "succeeded", "failed")
        assert (ended["state"], ended["code"]) == ("failed", "policy_denied")
        assert (await served.admin.get(f"/api/v1/approvals/{approval}")).json()["consumed_by"] == ""
    finally:
        await rules(served, file, POLICY)


async def rules(served: Served, file: Path, text: str) -> None:
    """Write the rules and wait until they are in force."""
    preview = served.plane.services.reviews.preview
    assert preview is not None
    before = preview._policy().version
    file.write_text(text)
    async with asyncio.timeout(20):
        while preview._policy().version == before:  # noqa: ASYNC110 - files are looked at, they do not tell
            await asyncio.sleep(0.05)


async def test_endorsed_values_are_those_of_the_run(served: Served) -> None:
    run, approval = await asked(served)
    where = f"/api/v1/approvals/{approval}/endorsements"
    assert problem(await served.admin.post(where, json={"argument": "nope"})) == (404, "not_found")
    for _ in range(2):
        answer = await served.clients["reviewer"].post(where, json={"argument": "to"})
        assert [(row["argument"], row["reviewer"]) for row in answer.json()["items"]] == [("to", "reviewer")]
    count = Query("test:count", "SELECT run_id FROM endorsements WHERE run_id = :run_id")
    rows = await served.plane.database.read(lambda tx: tx.fetch(count, run_id=run))
    assert len(rows) == 1
    await served.admin.post(f"/api/v1/approvals/{approval}/decision", json={"decision": "deny"})
    assert problem(await served.admin.post(where, json={"argument": "to"})) == (409, "conflict")


async def test_a_batch_fails_in_parts(served: Served) -> None:
    (run, one), (_, two) = await asked(served), await asked(served)
    decisions = [
        {"id": one, "decision": "approve"},
        {"id": two, "decision": "deny", "arguments": {}},
        {"id": "apr_none", "decision": "deny"},
    ]
    answer = await served.admin.post("/api/v1/approvals/decisions", json={"decisions": decisions})
    assert [item["ok"] for item in answer.json()["items"]] == [True, False, False]
    assert "50" in str(await result(served, run))
    many = await served.admin.post("/api/v1/approvals/decisions", json={"decisions": decisions[:1] * 201})
    assert problem(many) == (400, "invalid_request")


async def test_comments_are_for_reviewers(served: Served) -> None:
    _, approval = await asked(served)
    where = f"/api/v1/approvals/{approval}/comments"
    assert (await served.clients["reviewer"].post(where, json={"text": "is this <b>ann's</b>?"})).status_code == 200
    assert problem(await served.admin.post(where, json={"text": "x" * 5_001})) == (400, "invalid_request")
    (item,) = (await served.admin.get(where)).json()["items"]
    assert (item["reviewer"], item["text"]) == ("reviewer", "is this <b>ann's</b>?")
    assert problem(await served.clients["viewer"].get(where)) == (403, "forbidden")


async def test_what_was_rejected_comes_out_as_cases(served: Served) -> None:
    _, approval = await asked(served, to="eve")
    await served.admin.post(
        f"/api/v1/approvals/{approval}/decision", json={"decision": "deny", "reason": "who is eve?"}
    )
    cases, cursor = [], ""
    while True:
        page = (await served.admin.get("/api/v1/approvals/export", params={"limit": 1, "cursor": cursor})).json()
        cases += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    (case,) = [case for case in cases if case["id"] == approval]
    assert case["rejected"] == {"tool": "pay", "arguments": {"to": "eve", "amount_usd": 50}}
    assert (case["verdict"], case["reason"], case["rules"]) == ("denied", "who is eve?", ["payments"])
    assert case["input"] == {"to": "eve", "amount_usd": 50}
    assert any(case["expected"] for case in cases if case["verdict"] == "edited")
    stats = (await served.admin.get("/api/v1/approvals/statistics")).json()
    assert [row["name"] for row in stats["by_tool"]] == ["pay"]
    assert stats["all"]["denied"] >= 1
    confidence = await served.admin.get("/api/v1/approvals/confidence", params={"agent": "careful", "tool": "pay"})
    assert (confidence.json()["samples"], confidence.json()["calibrated"]) == (0, False)


def link(served: Served, approval: str, verdict: Any, tenant: str = "default") -> str:
    links = served.plane.services.reviewing.links
    return links.make(tenant, approval, "ann", KeyRole.REVIEWER, verdict, 2**61)


async def press(served: Served, token: str, **more: str) -> httpx2.Response:
    return await served.clients["none"].post("/approvals/link", data={"t": token} | more)


async def test_opening_a_link_decides_nothing_and_its_button_decides_once(served: Served) -> None:
    run, approval = await asked(served)
    token = link(served, approval, "approve")
    for _ in range(3):
        page = await served.clients["none"].get("/approvals/link", params={"t": token})
        assert page.status_code == 200
        assert "Approve this call" in page.text
        assert "bob" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    head = await served.clients["none"].request("HEAD", "/approvals/link", params={"t": token})
    assert head.status_code in {200, 405}
    assert (await served.admin.get(f"/api/v1/approvals/{approval}")).json()["state"] == "pending"
    assert "approved" in (await press(served, token)).text
    again = await press(served, token)
    assert (again.status_code, again.headers["x-airside-code"]) == (409, "conflict")
    assert "50" in str(await result(served, run))
    shown = (await served.admin.get(f"/api/v1/approvals/{approval}")).json()
    assert shown["decided_by"] == "ann"


async def test_a_link_to_look_shows_the_call_once_and_leads_on(served: Served) -> None:
    run, approval = await asked(served, to="<script>alert(1)</script>")
    token = link(served, approval, "view")
    page = await press(served, token)
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert (await press(served, token)).status_code == 409
    tokens = re.findall(r'name="t" value="([^"]+)"', page.text)
    assert len(tokens) == 2
    denied = await press(served, tokens[1], reason="no scripts")
    assert denied.status_code == 200
    assert (await served.until(run, "failed"))["code"] == "approval_denied"
    assert (await press(served, tokens[0])).status_code == 409  # it was decided meanwhile


async def test_links_that_are_forged_or_of_another_tenant_lead_nowhere(served: Served) -> None:
    _, approval = await asked(served)
    token = link(served, approval, "approve")
    foreign = link(served, approval, "approve", tenant="other")
    for bad, status in ((token[:-3], 401), ("", 401), (token + "x", 401), (foreign, 404)):
        assert (await press(served, bad)).status_code == status
        page = await served.clients["none"].get("/approvals/link", params={"t": bad})
        assert page.status_code == status
    assert (await press(served, token, more="x" * 20_000)).status_code == 413
    assert (await served.admin.get(f"/api/v1/approvals/{approval}")).json()["state"] == "pending"


@pytest.mark.parametrize("query", ["order=oddest", "risk_min=-1", "state=gone", "nothing=1", "limit=201", "cursor=x"])
async def test_odd_wishes_are_refused(served: Served, query: str) -> None:
    assert problem(await served.admin.get(f"/api/v1/approvals?{query}")) == (400, "invalid_request")
