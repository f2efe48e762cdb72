"""What calls lean on: a tool, its capability, the server behind it; nothing for what airside does itself."""

from airside.core.call import Call, CallKind, Effect
from airside.core.dependencies import Dependency
from airside.core.run import Identity
from airside.core.tool import Tool
from airside.gateways.dependencies import dependencies_of
from airside.gateways.tools.arguments import compile_schema
from airside.gateways.tools.catalogue import Listed

WHO = Identity("t", "run", 1, "agent", "rel", "run", ("tenant:t", "run:run"), supervised=True, deadline_us=0)


async def nothing(call: Call) -> bytes:
    """Execute nothing."""
    return b"null"


def names(tool: Tool, *, built_in: bool = False) -> list[str]:
    """Return what a call of a tool leans on."""
    call = Call(
        call_id="c", kind=CallKind.TOOL, name=tool.name, token="", parts=(), effect=Effect.READ, idempotent=True,
        timeout_s=1, identity=WHO, payload=Listed(tool, compile_schema({}), nothing if built_in else None),
    )  # fmt: skip
    found = dependencies_of(call)
    assert all(isinstance(each, Dependency) and each.tenant_id == "t" for each in found)
    return [each.name for each in found]


def test_a_tool_leans_on_its_server_and_its_capability_before_itself() -> None:
    tool = Tool(name="bank__refund", description="", schema={}, source="mcp:bank", capability="payments")
    assert names(tool) == ["source:mcp:bank", "capability:payments", "tool:bank__refund"]


def test_tools_of_the_host_lean_on_no_server() -> None:
    assert names(Tool(name="refund", description="", schema={}, source="host")) == ["tool:refund"]


def test_what_airside_brings_leans_on_nothing_outside() -> None:
    assert names(Tool(name="ask", description="", schema={}, source="agent:clerk"), built_in=True) == []
