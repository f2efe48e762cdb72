"""Tool calls over the real pipeline and journal: what is recorded when hosts die, and what a next attempt is given."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, rebuild, tool_of
from airside.gateways.tools.hosted import HostedTools
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.evidence import Evidence
from airside.pipeline.permit import Permit
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.gateways.tools.tooling import LOCAL, settings, until

RULES = """
rules:
  - {name: shop, then: allow, tools: ["*"]}
  - {name: look-first, then: ask, tools: [refund]}
  - {name: never, then: deny, tools: [undeclared]}
"""


class Desk:
    """A run of an agent with tools, on a journal in memory."""

    def __init__(self, plane: InMemoryPlane) -> None:
        self.plane = plane
        self.catalogue = ToolCatalogue(LOCAL)
        self.hosted = HostedTools(settings(), self.catalogue.set_hosted)
        self.gateway = ToolGateway(self.pipeline, self.catalogue, self.hosted)

    def pipeline(self, terminal: Forward) -> Forward:
        plane = self.plane
        identify, replay, _, _, _, retry, record = plane.steps()
        gather = Evidence(plane.witnesses, tool_of, plane.clock).gathered
        approve = Approve(plane.reviewers, plane.policy, tool_of, gather, rebuild, plane.keyring)
        return compose([identify, replay, Fit(), Permit(plane.policy, tool_of), approve, retry, record], terminal)

    async def begin(self) -> Identity:
        return self.offered(await self.plane.start_run())

    async def again(self, identity: Identity) -> Identity:
        return self.offered(await self.plane.next_attempt(identity))

    def offered(self, identity: Identity) -> Identity:
        changed = replace(identity, tools=tuple(tool.name for tool in self.catalogue.manifests()))
        self.plane.identities.known[token(identity)] = changed
        return changed

    async def call(self, who: Identity, name: str, **arguments: Any) -> Any:
        outcome = await self.gateway.call(Caller(token(who)), name, arguments)
        return msgspec.json.decode(outcome.body)

    async def failure(self, who: Identity, name: str, **arguments: Any) -> AirsideError:
        with pytest.raises(AirsideError) as caught:
            await self.call(who, name, **arguments)
        return caught.value


def token(identity: Identity) -> str:
    return f"{identity.run_id}/{identity.attempt}"


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with InMemoryPlane(policy=load(rules)) as plane:
        made = Desk(plane)
        await made.hosted.start()
        try:
            yield made
        finally:
            await made.hosted.close()


async def test_a_read_whose_host_dies_is_made_again_as_the_same_call(desk: Desk, tmp_path: Path) -> None:
    who = await desk.begin()
    calling = asyncio.create_task(desk.call(who, "wait_read", signal_file=str(tmp_path / "go")))
    await _kill_host_in_flight(desk, tmp_path)
    (tmp_path / "go").touch()
    assert await calling == {"result": "done"}
    assert len((tmp_path / "began").read_text().split()) == 2
    (row,) = await desk.plane.calls(who)
    assert (row["state"], row["try_number"]) == ("ok", 2)


async def test_an_idempotent_effect_whose_host_dies_is_sent_again_with_its_key(desk: Desk, tmp_path: Path) -> None:
    who = await desk.begin()
    calling = asyncio.create_task(desk.call(who, "wait_idempotent", signal_file=str(tmp_path / "go")))
    await _kill_host_in_flight(desk, tmp_path)
    (tmp_path / "go").touch()
    assert await calling == {"result": "done"}
    (row,) = await desk.plane.calls(who)
    assert (row["state"], row["try_number"]) == ("ok", 2)


async def test_an_effect_whose_host_dies_holds_the_run(desk: Desk, tmp_path: Path) -> None:
    who = await desk.begin()
    calling = asyncio.create_task(desk.call(who, "wait_write", signal_file=str(tmp_path / "go")))
    await _kill_host_in_flight(desk, tmp_path)
    await asyncio.wait_for(desk.plane.suspensions.happened.wait(), 40)
    assert [asked[1] for asked in desk.plane.suspensions.asked] == ["held"]
    (row,) = await desk.plane.calls(who)
    assert (row["state"], row["code"]) == ("held", "outcome_unknown")
    assert not calling.done(), "the call of a held run is not answered"
    calling.cancel()
    assert len((tmp_path / "began").read_text().split()) == 1


async def test_what_a_tool_raised_is_given_again_without_executing(desk: Desk) -> None:
    who = await desk.begin()
    first = await desk.failure(who, "raise_error", kind="value")
    later = await desk.again(who)
    second = await desk.failure(later, "raise_error", kind="value")
    assert first.code is second.code is Code.TOOL_FAILED
    assert first.message == second.message == "ValueError: no such order: 4711"
    (row,) = await desk.plane.calls(who)
    assert row["state"] == "error"
    assert "4711" not in row["message"], "a tool's words are sealed"


async def test_refusals_before_the_host_are_journaled_and_replayed(desk: Desk) -> None:
    who = await desk.begin()
    for name, arguments, code in (
        ("nobody", {}, Code.UNKNOWN_TOOL),
        ("echo", {}, Code.INVALID_ARGUMENTS),
        ("undeclared", {"json": {}, "_x": []}, Code.POLICY_DENIED),
    ):
        first = await desk.failure(who, name, **arguments)
        assert first.code is code
        who = await desk.again(who)
        again = await desk.failure(who, name, **arguments)
        assert (again.code, again.message, again.replayed) == (code, first.message, True)
    assert {row["state"] for row in await desk.plane.calls(who)} == {"denied"}


async def test_an_edited_call_runs_the_edit_and_says_so_in_replays_too(desk: Desk) -> None:
    who = await desk.begin()
    desk.plane.reviewers.verdicts = [{"order_id": "A1", "amount": 4, "reason": "late"}]
    asked = {"order_id": "A1", "amount": 400, "reason": "late"}
    first = await desk.call(who, "refund", **asked)
    assert first["result"]["refunded"] == 4
    assert first["edited_arguments"]["amount"] == 4
    assert await desk.call(await desk.again(who), "refund", **asked) == first


async def test_an_edit_that_does_not_fit_is_refused(desk: Desk) -> None:
    who = await desk.begin()
    desk.plane.reviewers.verdicts = [{"order_id": "A1", "amount": 0, "reason": "late"}]
    failure = await desk.failure(who, "refund", order_id="A1", amount=400, reason="late")
    assert failure.code is Code.INVALID_ARGUMENTS


async def test_an_effect_whose_client_leaves_is_finished_and_recorded(desk: Desk, tmp_path: Path) -> None:
    who = await desk.begin()
    calling = asyncio.create_task(desk.call(who, "wait_write", signal_file=str(tmp_path / "go")))
    await until((tmp_path / "began").exists, "the tool begins")
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    assert [row["state"] for row in await desk.plane.calls(who)] == ["open"]
    (tmp_path / "go").touch()
    assert await desk.plane.afterwork.drain(40), "what has begun is finished and recorded"
    assert [row["state"] for row in await desk.plane.calls(who)] == ["ok"]
    assert await desk.call(who, "wait_write", signal_file=str(tmp_path / "go")) == {"result": "done"}
    assert len((tmp_path / "began").read_text().split()) == 1


async def test_64_effects_at_once_are_64_records(desk: Desk) -> None:
    who = await desk.begin()
    answers = await asyncio.gather(*[desk.call(who, "echo", value=number) for number in range(64)])
    assert [answer["result"] for answer in answers] == list(range(64))
    rows = await desk.plane.calls(who)
    assert len({row["call_id"] for row in rows if row["state"] == "ok"}) == 64


async def _kill_host_in_flight(desk: Desk, tmp_path: Path) -> None:
    await until((tmp_path / "began").exists, "the tool begins")
    pid = desk.hosted.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: desk.hosted.pid not in {None, pid}, "the host is back")
