"""Looking at the tools that the configured sources have now, without a running airside: for scans and checks."""

from collections.abc import Collection

from airside.config.settings import Settings
from airside.core.errors import AirsideError, TransientError
from airside.core.tool import Tool
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.manifest import Manifests, fingerprint
from airside.gateways.tools.mcp_servers.connect import Connector
from airside.gateways.tools.openapi.source import Operations
from airside.gateways.tools.seen import Seen, Unreached, status
from airside.gateways.tools.surroundings import Credentials

Looked = tuple[list[Seen], list[Unreached]]


async def look(
    settings: Settings, manifests: Manifests, credentials: Credentials, only: Collection[str] = ()
) -> Looked:
    """Return the tools of all sources, or of those named in `only` (`host`, `mcp:NAME`, `openapi:NAME`)."""
    seen: list[Seen] = []
    unreached: list[Unreached] = []

    def wanted(source: str) -> bool:
        return not only or source in only

    if settings.tools.modules and wanted("host"):
        seen += await _hosted(settings, manifests)
    for name, server in settings.tools.mcp.items():
        if not wanted(source := f"mcp:{name}"):
            continue
        try:
            found, out = await _server(Connector(source, server, manifests, credentials), manifests)
        except (AirsideError, TimeoutError) as error:
            why = error.message if isinstance(error, TransientError | AirsideError) else "it did not answer in time"
            unreached.append(Unreached(source, why))
            continue
        seen += found
        unreached += out
    for name, api in settings.tools.openapi.items():
        if wanted(source := f"openapi:{name}"):
            read = Operations(name, api, manifests)
            unreached += [Unreached(f"{source}/{out.name}", out.why) for out in read.left_out]
            seen += [
                Seen(
                    native=operation.native,
                    tool=tool,
                    fingerprint=read.fingerprints[tool.name],
                    status=status(manifests, source, operation.native, read.fingerprints[tool.name]),
                    method=operation.method,
                )
                for tool, operation in zip(read.tools, read.operations.values(), strict=True)
            ]
    return seen, unreached


async def _server(connector: Connector, manifests: Manifests) -> Looked:
    session = await connector.connect()
    try:
        out = [Unreached(f"{connector.source}/{left.name}", left.why) for left in session.left_out]
        seen = [
            Seen(
                native=offer.native,
                tool=offer.tool,
                fingerprint=offer.fingerprint,
                status=status(manifests, connector.source, offer.native, offer.fingerprint),
                hints=offer.hints,
            )
            for offer in session.offers.values()
        ]
    finally:
        await session.close()
    return seen, out


async def _hosted(settings: Settings, manifests: Manifests) -> list[Seen]:
    tools: list[Tool] = []
    host = HostedTools(settings.tools, tools.extend)
    try:
        await host.start()
    finally:
        await host.close()
    found = []
    for tool in tools:
        told = fingerprint(tool.name, tool.description, tool.schema, tool.returns)
        stands = status(manifests, "host", tool.name, told, itself=tool.declared)
        found.append(Seen(native=tool.name, tool=tool, fingerprint=told, status=stands))
    return found
