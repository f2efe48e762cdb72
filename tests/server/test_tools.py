"""Tools of an MCP server and of an HTTP API, through the whole of airside: what agents see and what the API tells."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from airside.config.loading import load
from airside.core.run import Role as KeyRole
from airside.plane import Role
from airside.server.serve import serving

SERVERS = Path(__file__).parents[1] / "gateways" / "tools" / "servers"
POLICY = "rules: [{name: reads, then: allow, tools: [s__act]}]"
MANIFESTS = "tools:\n  mcp:s/act: {effect: read, results: {'': untrusted}}\n  mcp:s/sum: {effect: write}\n"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """An airside with foreign tools: clients with a viewer's key and an agent's."""
    folder = tmp_path_factory.mktemp("airside")
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "tools.yaml").write_text(MANIFESTS)
    settings = load(
        None,
        {},
        data_dir=folder / "data",
        database={"url": "memory:"},
        server={"port": 0},
        runs={"isolation": "inline"},
        policy={"file": folder / "policy.yaml"},
        tools={
            "manifests": folder / "tools.yaml",
            "mcp": {"s": {"command": [sys.executable, str(SERVERS / "hostile.py"), "names_and_more"]}},
            "openapi": {"shop": {"document": SERVERS / "shop.yaml", "operations": ["*"]}},
        },
        agents={"outside": {"adapter": "command", "command": ["true"], "tools": ["s__*", "shop__getOrder"]}},
    )
    async with serving(settings, frozenset(Role)) as (plane, address):
        made = {}
        for role in (KeyRole.VIEWER, KeyRole.AGENT):
            _, secret = await plane.services.keys.create(settings.tenant, "outside", role, "test")
            headers = {"authorization": f"Bearer {secret}"}
            made[role.value] = httpx2.AsyncClient(base_url=address.url, headers=headers, timeout=20, trust_env=False)
        yield made
        for client in made.values():
            await client.aclose()


async def rpc(client: httpx2.AsyncClient, method: str, **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await client.post("/mcp", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def test_the_api_tells_every_tool_and_what_was_left_out(clients: dict[str, httpx2.AsyncClient]) -> None:
    told = (await clients["viewer"].get("/api/v1/tools")).json()
    tools = {tool["name"]: tool for tool in told["items"]}
    assert (tools["s__act"]["source"], tools["s__act"]["effect"], tools["s__act"]["declared"]) == (
        "mcp:s",
        "read",
        True,
    )
    assert (tools["shop__refund"]["effect"], tools["shop__refund"]["declared"]) == ("execute", False)
    assert "recall" in tools
    assert {out["name"] for out in told["left_out"]} == {"upload", "elsewhere", "circle"}
    one = (await clients["viewer"].get("/api/v1/tools/s__act")).json()
    assert one["results"] == {"": {"trusted": False, "secret": False}}
    assert (await clients["viewer"].get("/api/v1/tools/nobody")).status_code == 404
    assert (await clients["agent"].get("/api/v1/tools")).status_code == 403


async def test_agents_see_what_they_are_offered_and_what_is_known_of_it(clients: dict[str, httpx2.AsyncClient]) -> None:
    listed = {tool["name"]: tool for tool in (await rpc(clients["agent"], "tools/list"))["tools"]}
    assert set(listed) == {"s__act", "s__sum", "shop__getOrder"}
    assert listed["s__act"]["annotations"]["readOnlyHint"] is True
    assert listed["shop__getOrder"]["annotations"] == {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": True,
    }
    assert listed["s__sum"]["outputSchema"]["required"] == ["n"]


async def test_calls_go_through_policy_and_come_back(clients: dict[str, httpx2.AsyncClient]) -> None:
    done = await rpc(clients["agent"], "tools/call", name="s__act", arguments={})
    assert (done["isError"], done["content"]) == (False, [{"type": "text", "text": "done"}])
    for name in ("s__sum", "shop__getOrder"):
        denied = await rpc(
            clients["agent"], "tools/call", name=name, arguments={"order_id": "1"} if "shop" in name else {}
        )
        assert denied["_meta"]["airside/error"]["code"] == "policy_denied"
    unknown = await rpc(clients["agent"], "tools/call", name="shop__refund", arguments={})
    assert "not offered" in json.dumps(unknown)
