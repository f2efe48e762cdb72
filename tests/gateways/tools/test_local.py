"""Local tools: authorised by the pipeline, executed by the agent, reported once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from airside.config.resilience import BreakerSettings
from airside.core.clock import SystemClock
from airside.core.dependencies import Dependency
from airside.core.run import Identity
from airside.gateways import http
from airside.gateways.tools.guarding.results import Results
from airside.gateways.tools.local import LocalFace
from airside.pipeline.settle import Settle
from airside.policy import load
from airside.resilience.breakers import SharedBreakers
from airside.testing import InMemoryPlane
from tests.gateways.tools.test_journaled import Desk, token
from tests.gateways.tools.tooling import served
from tests.guards.world import guards_of
from tests.resilience.conftest import Operators

RULES = """
rules:
  - {name: notes, then: allow, tools: [note, peek]}
  - {name: watched, then: ask, tools: [watched]}
"""


class Office(Desk):
    """A run whose agent has tools of its own, over HTTP."""

    def __init__(self, plane: InMemoryPlane) -> None:
        super().__init__(plane)
        settle = Settle(plane.journal, plane.keyring, plane.afterwork)
        self.operators = Operators()
        self.breakers = SharedBreakers(
            plane.backend.database, SystemClock(), BreakerSettings(calls_min=3), self.operators
        )
        self.face = LocalFace(
            self.gateway,
            plane.journal,
            plane.keyring,
            settle,
            plane.identities.resolve,
            self.breakers,
            Results(guards_of(plane.backend.database, plane.keyring)),
            body_bytes_max=100_000,
        )
        self.client = httpx2.AsyncClient()

    async def app(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        await (self.face.authorize if scope["path"].endswith("authorize") else self.face.report)(scope, receive, send)

    async def post(self, who: Identity | str, path: str, body: Any) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {who if isinstance(who, str) else token(who)}"}
        answer = await self.client.post(f"/v1/tools/{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    async def authorize(self, who: Identity, tool: str, **arguments: Any) -> Any:
        status, answer = await self.post(who, "authorize", {"tool": tool, "arguments": arguments})
        assert status == 200, answer
        return answer

    async def report(self, who: Identity, call_id: str, **what: Any) -> tuple[int, Any]:
        return await self.post(who, "report", {"call_id": call_id, **what})


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with InMemoryPlane(policy=load(rules)) as plane:
        made = Office(plane)
        async with served(made.app) as base, httpx2.AsyncClient(base_url=base, timeout=30) as made.client:
            yield made


async def test_authorised_reported_and_given_again(office: Office) -> None:
    who = await office.begin()
    decided = await office.authorize(who, "note", text="hello")
    assert (decided["decision"], decided["arguments"], decided["edited"]) == ("run", {"text": "hello"}, False)
    (row,) = await office.plane.calls(who)
    assert row["state"] == "open"
    opened = await office.plane.journal.look(who, decided["call_id"])
    assert opened is not None
    assert (opened.effect, opened.executor_id) == ("write", who.executor_of_attempt)
    status, told = await office.report(who, decided["call_id"], result={"id": 7})
    assert (status, told["call_id"]) == (200, decided["call_id"])
    recorded = await office.authorize(await office.again(who), "note", text="hello")
    assert (recorded["decision"], recorded["result"]) == ("recorded", {"id": 7})
    assert recorded["call_id"] == decided["call_id"]
    assert recorded["at_us"] == told["at_us"]


async def test_a_tool_that_keeps_failing_is_switched_off(office: Office) -> None:
    who = await office.begin()
    leaned_on = (Dependency("default", "tool:note"),)
    for number in range(3):
        assert office.breakers.closed(leaned_on)
        decided = await office.authorize(who, "note", text=str(number))
        await office.report(who, decided["call_id"], error={"type": "ValueError", "message": "no paper"})
    assert not office.breakers.closed(leaned_on)


async def test_an_error_is_reported_and_given_again(office: Office) -> None:
    who = await office.begin()
    decided = await office.authorize(who, "note", text="hello")
    error = {"type": "ValueError", "message": "no paper"}
    assert (await office.report(who, decided["call_id"], error=error))[0] == 200
    assert (await office.report(who, decided["call_id"], error=error))[0] == 200
    recorded = await office.authorize(await office.again(who), "note", text="hello")
    assert recorded["decision"] == "recorded"
    assert recorded["error"]["message"] == "ValueError: no paper"
    (row,) = await office.plane.calls(who)
    assert row["state"] == "error"


async def test_a_report_may_be_repeated_but_not_changed(office: Office) -> None:
    who = await office.begin()
    call_id = (await office.authorize(who, "note", text="hello"))["call_id"]
    answers = await asyncio.gather(*[office.report(who, call_id, result=1) for _ in range(8)])
    assert {status for status, _ in answers} == {200}
    status, answer = await office.report(who, call_id, result=2)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert (await office.report(who, call_id, error={"type": "E"}))[0] == 409
    balance = await office.plane.balance(who)
    assert (balance["spent_calls"], balance["reserved_calls"]) == (1, 0)


async def test_foreign_and_unknown_reports_are_refused(office: Office) -> None:
    who, other = await office.begin(), await office.begin()
    call_id = (await office.authorize(who, "note", text="hello"))["call_id"]
    for reporter, reported in ((other, call_id), (who, "call_unknown"), (await office.again(who), call_id)):
        status, answer = await office.report(reporter, reported, result=1)
        assert (status, answer["error"]["code"]) == (404, "not_found")
    assert (await office.post("rt_foreign", "report", {"call_id": call_id, "result": 1}))[0] == 401
    (row,) = await office.plane.calls(who)
    assert row["state"] == "open"


async def test_an_unreported_effect_of_a_dead_attempt_holds_the_run(office: Office) -> None:
    who = await office.begin()
    await office.authorize(who, "note", text="hello")
    later = await office.again(who)
    asking = asyncio.create_task(office.authorize(later, "note", text="hello"))
    await asyncio.wait_for(office.plane.suspensions.happened.wait(), 40)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    (row,) = await office.plane.calls(who)
    assert row["state"] == "held"


async def test_an_unreported_read_is_simply_run_again(office: Office) -> None:
    who = await office.begin()
    await office.authorize(who, "peek", at="x")
    decided = await office.authorize(await office.again(who), "peek", at="x")
    assert decided["decision"] == "run"


async def test_what_nobody_declared_is_denied(office: Office) -> None:
    who = await office.begin()
    status, answer = await office.post(who, "authorize", {"tool": "anything", "arguments": {}})
    assert (status, answer["error"]["code"]) == (403, "policy_denied")


async def test_a_reviewers_edit_is_what_runs_and_is_told_again(office: Office) -> None:
    who = await office.begin()
    office.plane.reviewers.verdicts = [{"text": "bye"}]
    decided = await office.authorize(who, "watched", text="hello")
    assert (decided["decision"], decided["arguments"], decided["edited"]) == ("run", {"text": "bye"}, True)
    assert (await office.report(who, decided["call_id"], result=1, arguments=decided["arguments"]))[0] == 200
    recorded = await office.authorize(await office.again(who), "watched", text="hello")
    assert (recorded["arguments"], recorded["edited"], recorded["result"]) == ({"text": "bye"}, True, 1)


async def test_the_adapters_schema_narrows(office: Office) -> None:
    who = await office.begin()
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False}
    for arguments, status in (({"text": "a"}, 200), ({"text": 1}, 400), ({"txt": "a"}, 400)):
        body = {"tool": "note", "arguments": arguments, "schema": schema}
        assert (await office.post(who, "authorize", body))[0] == status


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("authorize", {}, "invalid_request"),
        ("authorize", {"tool": "a b"}, "invalid_request"),
        ("authorize", {"tool": "note", "arguments": []}, "invalid_request"),
        ("authorize", {"tool": "note", "effect": "read"}, "invalid_request"),
        ("authorize", {"tool": "note", "schema": {"type": "nonsense"}}, "invalid_request"),
        ("authorize", {"tool": "note", "schema": {"$ref": "http://127.0.0.1:1/x"}}, "invalid_request"),
        ("authorize", {"tool": "note", "arguments": {"x": "y" * 100_000}}, "limit_exceeded"),
        ("authorize", [], "invalid_request"),
        ("report", {"call_id": "call_1"}, "invalid_request"),
        ("report", {"call_id": "call_1", "result": 1, "error": {"type": "E"}}, "invalid_request"),
        ("report", {"result": 1}, "invalid_request"),
    ],
)
async def test_malformed_requests_are_refused(office: Office, path: str, body: Any, code: str) -> None:
    who = await office.begin()
    status, answer = await office.post(who, path, body)
    assert answer["error"]["code"] == code
    assert status in {400, 413}
    assert await office.plane.calls(who) == []
