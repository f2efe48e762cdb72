"""What the tool gateway adds to a tool call: against the same tool served by a bare MCP server, interleaved.

Both are asked by the MCP SDK's client over one keep-alive connection, in one process. The gateway has the whole
pipeline on a journal in memory and its tool host; the bare server runs the tool inside the request.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import uvicorn
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from msgspec.structs import replace

from airside.config.tools import ToolSettings
from airside.core.clock import SystemClock
from airside.core.ports import Forward
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.mcp import McpFace
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy import load
from airside.testing import InMemoryPlane
from benchmarks import approvals
from benchmarks.figures import figure, option

WARM_UP = 50
MODULE = 'from airside import tool\n\n@tool(effect="read")\nasync def echo(value: dict) -> dict:\n    return value\n'
RULES = "rules:\n  - {name: all, then: allow, tools: ['*']}\n"

Ask = Callable[[int], Awaitable[Any]]


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on a free port and yield the url of its MCP endpoint."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="error", interface="asgi3")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def bare() -> AsyncIterator[tuple[str, str]]:
    """Serve the tool by nothing but the MCP SDK; yield url and token."""

    async def listed(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="echo", input_schema={"type": "object"})])

    async def called(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        value = (params.arguments or {})["value"]
        text = types.TextContent(type="text", text=json.dumps(value))
        return types.CallToolResult(content=[text], structured_content=value)

    server: Server[Any] = Server("bare", on_list_tools=listed, on_call_tool=called)
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    async with server.session_manager.run(), serving(app) as url:
        yield url, "none"


@asynccontextmanager
async def governed(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Serve the tool by the tool gateway, everything on; yield url and run token."""
    (folder / "bench_tools.py").write_text(MODULE)
    (folder / "rules.yaml").write_text(RULES)
    policy = load(folder / "rules.yaml")
    async with InMemoryPlane(policy=policy, clock=SystemClock()) as plane:
        identify, replay, _, _, approve, retry, record = plane.steps()

        def pipeline(terminal: Forward) -> Forward:
            return compose([identify, replay, Fit(), Permit(policy, tool_of), approve, retry, record], terminal)

        catalogue = ToolCatalogue({})
        hosted = HostedTools(ToolSettings(modules=["bench_tools"], path=[folder]), catalogue.set_hosted)
        await hosted.start()
        face = McpFace(ToolGateway(pipeline, catalogue, hosted), catalogue, plane.identities, body_bytes_max=1_000_000)
        who = await plane.start_run()
        token = f"{who.run_id}/{who.attempt}"
        plane.identities.known[token] = replace(who, tools=("echo",))
        try:
            async with face.running(), serving(face) as url:
                yield url, token
        finally:
            await hosted.close()


@asynccontextmanager
async def sdk(url: str, token: str) -> AsyncIterator[tuple[Ask, Ask]]:
    """Yield two ways to call the tool: through the MCP SDK's client, and as plain JSON-RPC."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        await session.list_tools()

        async def ask(number: int) -> None:
            result = await session.call_tool("echo", {"value": {"sdk": number}})
            assert result.structured_content == {"sdk": number}

        async def plain(number: int) -> None:
            params = {"name": "echo", "arguments": {"value": {"plain": number}}}
            body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
            answer = await http.post(url, json=body)
            assert answer.json()["result"]["structuredContent"] == {"plain": number}

        yield ask, plain


async def main() -> None:
    """Measure and print."""
    calls = option("calls", 500)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            bare() as without,
            governed(Path(folder)) as within,
            sdk(*without) as (direct, _),
            sdk(*within) as (through, plain),
        ):
            ways: dict[str, Ask] = {"direct": direct, "airside": through, "plain": plain}
            taken_ms: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(calls + WARM_UP):
                for name, ask in ways.items():
                    began = time.perf_counter()
                    await ask(number)
                    taken_ms[name].append((time.perf_counter() - began) * 1_000)
    p50 = {name: statistics.median(taken[WARM_UP:]) for name, taken in taken_ms.items()}
    how = "one connection, journal in memory, tool host on"
    figure("mcp.direct_ms_p50", p50["direct"], "ms", n=calls)
    figure(
        "mcp.plain_added_ms_p50", p50["plain"] - p50["direct"], "ms", n=calls, how=how + ", without the SDK's client"
    )
    figure("mcp.added_ms_p50", p50["airside"] - p50["direct"], "ms", n=calls, how=how)


if __name__ == "__main__":
    asyncio.run(main())
    approvals.main()
