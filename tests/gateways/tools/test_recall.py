"""The recall tool: it finds what this run has said and been given, and nothing of any other run."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.recall import RECALL, Recall
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy.loading import load
from airside.testing import InMemoryPlane
from airside.testing.calls import model_call, token_of
from airside.testing.terminal import echo

RULES = "rules:\n  - {name: read, then: allow, tools: [recall]}\n"
REPORT = "\n".join(f"shelf {number} holds {number * 3} boxes of nails" for number in range(900))


async def answered(call: Call) -> Outcome:
    return echo(call)


class Desk:
    """Runs that have asked a model, and may recall."""

    def __init__(self, plane: InMemoryPlane) -> None:
        self.plane = plane
        catalogue = ToolCatalogue({}, [(RECALL, Recall(plane.backend.database, plane.keyring))])
        self.gateway = ToolGateway(self.pipeline, catalogue, None)

    def pipeline(self, terminal: Forward) -> Forward:
        identify, replay, _, _, approve, *others = self.plane.steps()
        permit = Permit(self.plane.policy, tool_of)
        return compose([identify, replay, Fit(), permit, approve, *others], terminal)

    async def asked(self, *pieces: str) -> tuple[Identity, list[str]]:
        """Start a run that has asked a model these pieces; return it with their handles."""
        who = await self.plane.start_run()
        who = replace(who, tools=("recall",))
        self.plane.identities.known[token_of(who)] = who
        parts = [json.dumps({"role": "tool", "content": piece}).encode() for piece in pieces]
        await self.plane.pipeline(answered)(model_call(who, parts=tuple(parts)))
        key = await self.plane.keyring.subject(who.tenant_id, who.subject)
        return who, [key.name(part).hex()[:16] for part in parts]

    async def recall(self, who: Identity, **arguments: Any) -> Any:
        outcome = await self.gateway.call(Caller(token_of(who)), "recall", arguments)
        return msgspec.json.decode(outcome.body)["result"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with InMemoryPlane(policy=load(rules)) as plane:
        yield Desk(plane)


async def test_a_query_finds_the_passage_and_a_handle_reads_on(desk: Desk) -> None:
    who, (report, _) = await desk.asked(REPORT, "something else that is long enough to be kept as text")
    found = (await desk.recall(who, query="how many boxes on shelf 777"))["passages"]
    assert "shelf 777 holds 2331 boxes" in found[0]["text"]
    assert found[0]["handle"] == report
    whole, start = "", 0
    while start < len(REPORT):
        page = await desk.recall(who, handle=report, start=start)
        whole += page["text"]
        start += len(page["text"])
        assert page["chars"] == len(REPORT)
    assert whole == REPORT


async def test_another_runs_text_does_not_exist(desk: Desk) -> None:
    _, (foreign,) = await desk.asked(REPORT)
    who, _ = await desk.asked("my own text, which is long enough to be kept as text here")
    assert (await desk.recall(who, query="boxes of nails on shelf 7"))["passages"] == []
    with pytest.raises(AirsideError) as caught:
        await desk.recall(who, handle=foreign)
    assert caught.value.code is Code.TOOL_FAILED


@pytest.mark.parametrize(
    "arguments", [{"handle": "../../etc"}, {"start": -1, "query": "x"}, {"query": 7}, {"other": 1}]
)
async def test_arguments_are_checked(desk: Desk, arguments: dict[str, Any]) -> None:
    who, _ = await desk.asked(REPORT)
    with pytest.raises(AirsideError) as caught:
        await desk.recall(who, **arguments)
    assert caught.value.code is Code.INVALID_ARGUMENTS


async def test_it_wants_something_to_look_for(desk: Desk) -> None:
    who, _ = await desk.asked(REPORT)
    with pytest.raises(AirsideError) as caught:
        await desk.recall(who)
    assert "query or a handle" in caught.value.message


def test_its_name_is_taken() -> None:
    with pytest.raises(AirsideError):
        ToolCatalogue({}, [(RECALL, Recall(None, None))]).set_hosted([RECALL])  # type: ignore[arg-type]
