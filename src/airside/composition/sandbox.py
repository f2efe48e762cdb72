"""The sandbox of a process and the tool by which agents reach it, as configured."""

from contextlib import AsyncExitStack
from typing import Final

from airside.composition.ground import Ground
from airside.config.sandbox import SandboxLimitSettings
from airside.config.settings import Settings
from airside.core import canonical
from airside.core.call import Call, Effect
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.http import Caller
from airside.gateways.tools.answer import unpack
from airside.gateways.tools.catalogue import Execute, ToolCatalogue
from airside.gateways.tools.gateway import ToolGateway
from airside.sandbox.container import ContainerSandbox
from airside.sandbox.port import Limits, Sandbox
from airside.sandbox.tool import CodeTool, manifest
from airside.sandbox.wasm import WasmSandbox

FOLDER: Final = "sandbox"


class CallsOfCode:
    """What code calls goes through the tool gateway like what its agent calls; only reads are let out of a sandbox.

    A read leaves nothing behind that a replay of the run could miss when it gets the code's result from the journal.
    """

    def __init__(self) -> None:
        self._ways: tuple[ToolGateway, ToolCatalogue] | None = None

    def go_through(self, gateway: ToolGateway, catalogue: ToolCatalogue) -> None:
        """Say where calls go; they need the gateway, which needs the tool, which needs this."""
        self._ways = gateway, catalogue

    async def __call__(self, call: Call, name: str, arguments: bytes) -> bytes:
        """Call a tool in the name of an agent's call; raises AirsideError for whatever the gateway refuses."""
        assert self._ways is not None, "said before anything is called"
        gateway, catalogue = self._ways
        tool = catalogue.lookup(name)
        if tool is None or tool.effect != Effect.READ:
            raise AirsideError(Code.FORBIDDEN, f"code in a sandbox may call tools that only read; {name} is not one")
        value = canonical.parse(arguments, bytes_max=max(len(arguments), 1))
        caller = Caller(token=call.token, run=call.run_header, peer=call.peer)
        return bytes(unpack((await gateway.call(caller, name, value)).body).result)


def code_tool(ground: Ground, calls: CallsOfCode, stack: AsyncExitStack) -> list[tuple[Tool, Execute]]:
    """Return the tool if it is configured. Raises AirsideError `misconfigured` if its packages are missing."""
    settings = ground.settings.sandbox
    if not settings.tool:
        return []
    sandbox = _sandbox(ground.settings)
    stack.push_async_callback(sandbox.close)
    limits = _limits(settings.limits)
    tools = tuple(settings.tools)
    tool = manifest(settings.tool, settings.tier, limits, tools, settings.cache_ttl_s)
    return [(tool, CodeTool(sandbox, limits, tools, calls, ground.clock))]


def _sandbox(settings: Settings) -> Sandbox:
    """Return the configured tier; the engine of `wasm` is prepared from now on."""
    chosen = settings.sandbox
    if chosen.tier == "container":
        return ContainerSandbox(chosen.container, executions_max=chosen.executions_max)
    sandbox = WasmSandbox(settings.data_dir / FOLDER, spares=chosen.spares, executions_max=chosen.executions_max)
    sandbox.start()
    return sandbox


def _limits(settings: SandboxLimitSettings) -> Limits:
    return Limits(**settings.model_dump())
