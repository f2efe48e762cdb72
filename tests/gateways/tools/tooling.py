"""A tool gateway on a real host process; identities and journal as small as the test needs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from msgspec.structs import replace

from airside.config.tools import LocalToolSettings, ToolSettings
from airside.core.call import Call, CallKind, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.mcp import McpFace
from airside.pipeline.compose import compose

MODULES = Path(__file__).parent / "modules"
TOKEN = "rt_good"
LOCAL = {"note": LocalToolSettings(effect="write"), "peek": LocalToolSettings(effect="read")}
UNOFFERED = "hidden"


async def until(condition: Callable[[], Any], what: str, seconds: float = 40.0) -> Any:
    """Wait for a condition, not for a time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (value := condition()):
        assert loop.time() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.005)
    return value


def identity(**changes: Any) -> Identity:
    """Who calls in these tests."""
    known = Identity("acme", "run_1", 1, "clerk", "rel_1", "run_1", ("tenant:acme",), True, 2**62)
    return replace(known, **changes)


class Known:
    """Identities with one good token, offered every tool but one; other tokens are foreign."""

    def __init__(self, catalogue: ToolCatalogue) -> None:
        self.catalogue = catalogue
        self.identity = identity()
        self.failure: AirsideError | None = None
        self.resolved = 0

    async def resolve(self, token: str, run_header: str) -> Identity:
        self.resolved += 1
        if token != TOKEN:
            raise AirsideError(Code.UNAUTHENTICATED)
        if self.failure:
            raise self.failure
        offered = tuple(tool.name for tool in self.catalogue.manifests() if tool.name != UNOFFERED)
        return replace(self.identity, tools=offered)

    def check(self, identity: Identity, kind: CallKind, name: str) -> None:
        pass


class Tooling:
    """The gateway and what a test wants to touch of it. `steps` may be added before the first call."""

    def __init__(self, settings: ToolSettings) -> None:
        self.catalogue = ToolCatalogue(LOCAL)
        self.known = Known(self.catalogue)
        self.hosted = HostedTools(settings, self.catalogue.set_hosted)
        self.calls: list[Call] = []
        self.gate: Callable[[Call, Forward], Awaitable[Outcome]] | None = None
        self.gateway = ToolGateway(self.pipeline, self.catalogue, self.hosted)
        self.face = McpFace(self.gateway, self.catalogue, self.known, body_bytes_max=200_000)

    def pipeline(self, terminal: Forward) -> Forward:
        return compose([self._identify, Fit(), self._last], terminal)

    async def _identify(self, call: Call, forward: Forward) -> Outcome:
        return await forward(replace(call, identity=await self.known.resolve(call.token, call.run_header)))

    async def _last(self, call: Call, forward: Forward) -> Outcome:
        self.calls.append(call)
        return await (self.gate(call, forward) if self.gate else forward(call))

    async def call(self, name: str, **arguments: Any) -> Outcome:
        return await self.gateway.call(Caller(TOKEN), name, arguments)

    async def failure(self, name: str, **arguments: Any) -> AirsideError:
        with pytest.raises(AirsideError) as caught:
            await self.call(name, **arguments)
        return caught.value


def settings(**changes: Any) -> ToolSettings:
    """The settings of the shop's tools."""
    return ToolSettings(modules=["shop"], path=[MODULES], **changes)


@asynccontextmanager
async def tooling_of(configured: ToolSettings) -> AsyncIterator[Tooling]:
    """Run a tool gateway."""
    made = Tooling(configured)
    await made.hosted.start()
    try:
        async with made.face.running():
            yield made
    finally:
        await made.hosted.close()


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application over HTTP and yield its base url."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="error", interface="asgi3")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the server starts")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
