"""Code as a tool call: through the pipeline into the journal and back; and what it calls goes the same way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.composition.sandbox import CallsOfCode
from airside.core.call import Call, Effect
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy.loading import load
from airside.sandbox.tool import CodeTool, manifest
from airside.sandbox.wasm import WasmSandbox
from airside.testing import InMemoryPlane
from airside.testing.calls import token_of
from tests.sandbox.conftest import LIMITS

pytestmark = pytest.mark.timeout(900)

RULES = "rules:\n  - {name: some, then: allow, tools: [code, lookup, erase, hidden]}\n"
NAMES = ("lookup", "erase", "hidden", "denied")


class Desk:
    """A plane whose agents have code, and tools that read and write."""

    def __init__(self, plane: InMemoryPlane, sandbox: WasmSandbox) -> None:
        self.plane = plane
        self.executed: list[tuple[str, Any]] = []
        calls = CallsOfCode()
        tool = manifest("code", "wasm", LIMITS, NAMES, 0.0)
        made = [
            Tool(
                name=name,
                description="",
                schema={"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False},
                effect=Effect.WRITE if name == "erase" else Effect.READ,
                idempotent=True,
            )
            for name in NAMES
        ]
        code = CodeTool(sandbox, LIMITS, NAMES, calls, plane.clock)
        catalogue = ToolCatalogue({}, [(tool, code), *[(other, self.execute) for other in made]])
        self.gateway = ToolGateway(self.pipeline, catalogue, None)
        calls.go_through(self.gateway, catalogue)

    async def execute(self, call: Call) -> bytes:
        self.executed.append((call.name, call.arguments))
        return b'{"price": 3}'

    def pipeline(self, terminal: Forward) -> Forward:
        identify, replay, *others = self.plane.steps()
        approve = next(step for step in others if type(step).__name__ == "Approve")
        after = others[others.index(approve) :]
        return compose([identify, replay, Fit(), Permit(self.plane.policy, tool_of), *after], terminal)

    async def agent(self, *tools: str) -> Identity:
        who = replace(await self.plane.start_run(), tools=tools)
        self.plane.identities.known[token_of(who)] = who
        return who

    async def code(self, who: Identity, source: str, **more: Any) -> Any:
        outcome = await self.gateway.call(Caller(token_of(who)), "code", {"code": source, **more})
        return msgspec.json.decode(outcome.body)["result"]


@pytest.fixture
async def desk(tmp_path: Path, engine_folder: Path) -> AsyncIterator[Desk]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(InMemoryPlane(policy=load(rules)))
        sandbox = WasmSandbox(engine_folder, spares=0, executions_max=2)
        stack.push_async_callback(sandbox.close)
        yield Desk(plane, sandbox)


async def test_code_is_a_call_like_any_other(desk):
    who = await desk.agent("code")
    answer = await desk.code(
        who, "print(inputs)\nresult = len(open('a.csv').read())", inputs=[1], files={"a.csv": "xy"}
    )
    assert answer["output"] == "[1]\n"
    assert answer["result"] == 2
    assert answer["meters"]["fuel"] > 0
    with pytest.raises(AirsideError) as refused:
        await desk.code(who, "while True: pass")
    assert refused.value.code == Code.LIMIT_EXCEEDED
    assert refused.value.details["limit"] == "fuel"
    with pytest.raises(AirsideError) as refused:
        await desk.code(await desk.agent(), "print(1)")
    assert refused.value.code == Code.UNKNOWN_TOOL


async def test_what_code_calls_passes_the_gateway_and_only_reads_do(desk):
    who = await desk.agent("code", "lookup", "erase", "denied")
    source = """
result = {"lookup": tools.lookup(n=1)}
for name in ("erase", "denied"):
    try: result[name] = getattr(tools, name)(n=1)
    except ToolError as error: result[name] = error.code
try: tools.lookup(n="x")
except ToolError as error: result["wrong"] = error.code
result["offered"] = hasattr(tools, "hidden")
"""
    answer = await desk.code(who, source)
    assert answer["result"] == {
        "lookup": {"price": 3},
        "erase": "forbidden",
        "denied": "policy_denied",
        "wrong": "invalid_arguments",
        "offered": False,
    }
    assert desk.executed == [("lookup", {"n": 1})]
    assert answer["meters"]["tool_calls"] == 4
