"""The way out of tool processes, as configured: one proxy, which they find in their environment."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from pydantic import SecretStr

from airside.composition.ground import Ground
from airside.config.tools import McpServerSettings
from airside.sandbox.egress.proxy import EgressProxy

HOST = "host"


class WaysOut:
    """What processes are told of the proxy; nothing if there is none, or if they have no grant."""

    def __init__(self, proxy: EgressProxy | None) -> None:
        self._proxy = proxy

    def environment(self, name: str) -> Mapping[str, str]:
        """Return the variables for a process: `host`, or `mcp:NAME`."""
        return self._proxy.environment(name) if self._proxy else {}

    def of_server(self, name: str, settings: McpServerSettings) -> McpServerSettings:
        """Return an MCP server's settings with the way out in its environment, beneath what the operator gave."""
        told = {key: SecretStr(value) for key, value in self.environment(f"mcp:{name}").items()}
        return settings.model_copy(update={"env": told | dict(settings.env)}) if told else settings


async def open_ways_out(ground: Ground, stack: AsyncExitStack) -> WaysOut:
    """Start the proxy if anybody has a grant."""
    settings = ground.settings.egress
    if not settings.grants:
        return WaysOut(None)
    proxy = EgressProxy(settings, ground.resilience.notices, ground.settings.tenant)
    await proxy.start()
    stack.push_async_callback(proxy.close)
    return WaysOut(proxy)
