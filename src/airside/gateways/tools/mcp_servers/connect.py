"""How sessions with one MCP server come about: its line, its credential, and the tools that it lists there."""

import asyncio
from collections.abc import Mapping

from mcp.shared.exceptions import MCPError

from airside.config.tools import McpServerSettings
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.core.text import storable
from airside.gateways.tools.foreign import plain
from airside.gateways.tools.manifest import Manifests
from airside.gateways.tools.mcp_servers.http import Http
from airside.gateways.tools.mcp_servers.listing import read
from airside.gateways.tools.mcp_servers.session import Line, Session, Unanswered
from airside.gateways.tools.mcp_servers.stdio import Program, Stdio
from airside.gateways.tools.surroundings import Credentials
from airside.linux.commands import kept

SLACK_BYTES = 65_536  # what surrounds a result


class Connector:
    """Opens sessions with a server (`mcp:NAME`)."""

    def __init__(
        self, source: str, settings: McpServerSettings, manifests: Manifests, credentials: Credentials
    ) -> None:
        self.source = source
        self._settings = settings
        self._manifests = manifests
        self._credentials = credentials

    async def connect(self) -> Session:
        """Return a new session that knows the server's tools.

        Raises AirsideError, always about a server that has executed nothing: a TransientError, or CredentialRefused.
        """
        settings = self._settings
        texts = {f"header {name}": value.get_secret_value() for name, value in settings.headers.items()}
        texts |= {f"env {name}": value.get_secret_value() for name, value in settings.env.items()}
        return await self._credentials.using(texts, self._opened, timeout_s=settings.start_timeout_s)

    async def _opened(self, texts: Mapping[str, str]) -> Session:
        settings = self._settings
        session = Session(_line(settings, texts))
        try:
            await session.open(settings.start_timeout_s)
            async with asyncio.timeout(settings.start_timeout_s):
                await self.learn(session)
        except BaseException as error:
            await session.close()
            if isinstance(error, Unanswered) and error.exchange.status == 401:
                raise CredentialRefused(f"{self.source} does not accept its credential") from None
            if isinstance(error, Exception) and not isinstance(error, AirsideError):
                raise self.down(_why(error, session.line)) from None
            raise
        return session

    async def learn(self, session: Session) -> None:
        """Ask for the tools of a session anew; raises MCPError."""
        listed = await session.tools()
        offers, session.left_out = read(self.source, self._settings, self._manifests, listed)
        session.offers = {offer.tool.name: offer for offer in offers}

    def down(self, why: str) -> TransientError:
        """Return the error of a server that was not reached, and so did nothing."""
        return TransientError(Code.UPSTREAM_FAILED, f"{self.source}: {why}", details={"not_sent": True})


def _line(settings: McpServerSettings, texts: Mapping[str, str]) -> Line:
    given = {
        kind: {k.partition(" ")[2]: v for k, v in texts.items() if k.startswith(kind)} for kind in ("header", "env")
    }
    bytes_max = settings.result_bytes_max + SLACK_BYTES
    if settings.url:
        return Http(settings.url, given["header"], bytes_max=bytes_max, connections_max=settings.concurrency_max)
    return Stdio(
        Program(
            command=tuple(settings.command),
            environment=kept(settings.env_pass) | given["env"],
            folder=str(settings.folder or ""),
            memory_bytes_max=settings.memory_bytes_max,
            open_files_max=settings.open_files_max,
            line_bytes_max=bytes_max,
        )
    )


def _why(error: Exception, line: Line) -> str:
    """Return why a server did not come up, in words that hold nothing it was told in confidence."""
    if isinstance(error, Unanswered):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, MCPError) and not line.over:
        return f"it refused: {plain(storable(str(error.error.message)), 300)}"
    said = f": {plain(line.said, 300)}" if line.said else ""
    return f"{line.over or type(error).__name__}{said}"
