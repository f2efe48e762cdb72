"""What the tool gateway adds to a tool call: against the same tool called over MCP directly, interleaved.

All are asked by the MCP SDK's client over one keep-alive connection. The server, which has nothing but the SDK, runs in
a process of its own; the gateway has the whole pipeline on a journal in memory. Behind it stands the very same server
(`mcp.added_ms_p50`), or a function in the tool host (`mcp.hosted_added_ms_p50`).
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import uvicorn
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from msgspec import Struct
from msgspec.structs import replace

from airside.config.tools import McpServerSettings, ToolSettings
from airside.core.clock import SystemClock
from airside.core.ports import Forward
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.manifest import ManifestEntry, Manifests
from airside.gateways.tools.mcp import McpFace
from airside.gateways.tools.mcp_servers.server import McpServer
from airside.gateways.tools.pins import Pins
from airside.gateways.tools.surroundings import Holder, Surroundings
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy import load
from airside.testing import InMemoryPlane
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


async def bare() -> None:
    """Serve the tool by nothing but the MCP SDK, until killed; print the url first."""

    async def listed(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="echo", input_schema={"type": "object"})])

    async def called(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        value = (params.arguments or {})["value"]
        text = types.TextContent(type="text", text=json.dumps(value))
        return types.CallToolResult(content=[text], structured_content=value)

    server: Server[Any] = Server("bare", on_list_tools=listed, on_call_tool=called)
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    async with server.session_manager.run(), serving(app) as url:
        print(url, flush=True)
        await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[str]:
    """Run the bare server in a process of its own and yield its url."""
    command = (sys.executable, "-m", "benchmarks.mcp", "bare")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


class Bench(Struct):
    """The gateway: where it is, and the token of a run that may use everything."""

    url: str
    token: str


@asynccontextmanager
async def governed(folder: Path, server_url: str) -> AsyncIterator[Bench]:
    """Serve both tools by the tool gateway, everything on."""
    (folder / "bench_tools.py").write_text(MODULE)
    (folder / "rules.yaml").write_text(RULES)
    policy = load(folder / "rules.yaml")
    said = Manifests({"mcp:m/echo": ManifestEntry(effect="read")})
    async with InMemoryPlane(policy=policy, clock=SystemClock()) as plane, AsyncExitStack() as stack:
        identify, replay, _, _, approve, retry, record = plane.steps()

        def pipeline(terminal: Forward) -> Forward:
            return compose([identify, replay, Fit(), Permit(policy, tool_of), approve, retry, record], terminal)

        catalogue = ToolCatalogue({}, manifests=said)
        hosted = HostedTools(ToolSettings(modules=["bench_tools"], path=[folder]), catalogue.set_hosted)
        await hosted.start()
        stack.push_async_callback(hosted.close)
        around = Surroundings(plane.backend.database, plane.keyring, Silent(), plane.clock, "default", nobody, Plain())
        server = McpServer("m", McpServerSettings(url=server_url), said, around, catalogue.set_foreign)
        await server.start()
        stack.push_async_callback(server.close)
        pins = Pins(plane.backend.database, catalogue)
        gateway = ToolGateway(pipeline, catalogue, hosted, pins)
        face = McpFace(gateway, catalogue, plane.identities, body_bytes_max=1_000_000, pins=pins)
        who = await plane.start_run()
        token = f"{who.run_id}/{who.attempt}"
        plane.identities.known[token] = replace(who, tools=("echo", "m__echo"))
        await stack.enter_async_context(face.running())
        yield Bench(await stack.enter_async_context(serving(face)), token)


class Silent:
    """Tells nobody."""

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Say nothing."""


class Plain:
    """Credentials without secrets."""

    async def using(
        self, texts: Mapping[str, str], use: Callable[[Mapping[str, str]], Awaitable[Any]], *, timeout_s: float
    ) -> Any:
        """Use texts as they are."""
        return await use(texts)


async def nobody(_holders: Sequence[Holder]) -> Sequence[Holder]:
    """No run ends."""
    return ()


@asynccontextmanager
async def sdk(url: str, token: str, tool: str) -> AsyncIterator[tuple[Ask, Ask]]:
    """Yield two ways to call a tool: through the MCP SDK's client, and as plain JSON-RPC."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        await session.list_tools()

        async def ask(number: int) -> None:
            result = await session.call_tool(tool, {"value": {"sdk": number}})
            assert result.structured_content == {"sdk": number}

        async def plain(number: int) -> None:
            params = {"name": tool, "arguments": {"value": {"plain": number}}}
            body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
            answer = await http.post(url, json=body)
            assert answer.json()["result"]["structuredContent"] == {"plain": number}

        yield ask, plain


async def main() -> None:
    """Measure and print."""
    calls = option("calls", 500)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            elsewhere() as url,
            governed(Path(folder), url) as within,
            sdk(url, "none", "echo") as (direct, _),
            sdk(within.url, within.token, "m__echo") as (through, plain),
            sdk(within.url, within.token, "echo") as (hosted, _),
        ):
            ways: dict[str, Ask] = {"direct": direct, "through": through, "plain": plain, "hosted": hosted}
            taken_ms: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(calls + WARM_UP):
                for name, ask in ways.items():
                    began = time.perf_counter()
                    await ask(number)
                    taken_ms[name].append((time.perf_counter() - began) * 1_000)
    p50 = {name: statistics.median(taken[WARM_UP:]) for name, taken in taken_ms.items()}
    how = "one connection, journal in memory, server in a process of its own"
    figure("mcp.direct_ms_p50", p50["direct"], "ms", n=calls)
    figure("mcp.hosted_added_ms_p50", p50["hosted"] - p50["direct"], "ms", n=calls, how="a function in the tool host")
    figure("mcp.plain_added_ms_p50", p50["plain"] - p50["direct"], "ms", n=calls, how="asked without the SDK's client")
    figure("mcp.added_ms_p50", p50["through"] - p50["direct"], "ms", n=calls, how=how)


if __name__ == "__main__":
    asyncio.run(bare() if sys.argv[1:] == ["bare"] else main())
