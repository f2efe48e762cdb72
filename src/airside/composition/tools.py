"""Where tools come from beside the tool host: MCP servers and HTTP APIs, as the settings name them."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from airside.composition.egress import WaysOut
from airside.composition.ground import Ground
from airside.core.ports import Database, Transaction
from airside.core.run import TERMINAL, RunState
from airside.gateways.tools.guarding.descriptions import OnListed
from airside.gateways.tools.manifest import Manifests, load_manifests
from airside.gateways.tools.mcp_servers.server import LEFT_OUT, McpServer
from airside.gateways.tools.openapi.source import Api, Operations
from airside.gateways.tools.surroundings import Holder, Surroundings
from airside.journal import queries

_SQL = queries.load("airside.gateways.tools", "pins.sql")


def manifests(ground: Ground) -> Manifests:
    """Return what the configured manifest files say; raises AirsideError `misconfigured`."""
    return load_manifests(ground.settings.tools.manifests)


async def open_sources(
    ground: Ground, on_listed: OnListed, said: Manifests, stack: AsyncExitStack, ways_out: WaysOut
) -> Sequence[McpServer]:
    """Connect to the configured sources, all at once; one that does not answer has no tools until it does."""
    around = Surroundings(
        ground.backend.database,
        ground.keyring,
        ground.resilience.notices,
        ground.clock,
        ground.settings.tenant,
        lambda holders: _ended(ground.backend.database, holders),
        ground.secrets,
    )
    servers = [
        McpServer(name, ways_out.of_server(name, settings), said, around, on_listed)
        for name, settings in ground.settings.tools.mcp.items()
    ]
    for name, api_settings in ground.settings.tools.openapi.items():
        api = Api(Operations(name, api_settings, said), api_settings, around)
        stack.push_async_callback(api.close)
        for out in on_listed(api.source, api.listed, api.left_out):
            body = {"key": f"{api.source}/{out.name}", "source": api.source, "tool": out.name, "why": out.why}
            around.notices.tell(around.tenant, LEFT_OUT, body)
    for server in servers:
        stack.push_async_callback(server.close)
    await asyncio.gather(*[server.start() for server in servers])
    return servers


async def _ended(database: Database, holders: Sequence[Holder]) -> list[Holder]:
    async def look(tx: Transaction) -> list[Holder]:
        over = []
        for holder in holders:
            row = await tx.one(_SQL["run_state"], tenant_id=holder.tenant_id, run_id=holder.run_id)
            if row is None or RunState(row["state"]) in TERMINAL:
                over.append(holder)
        return over

    return await database.read(look)
