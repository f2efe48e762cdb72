"""A run of an agent over the real pipeline and journal, with tools of MCP servers and HTTP APIs."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airside.config.secrets import SecretSettings
from airside.config.tools import McpServerSettings
from airside.core.errors import AirsideError
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.http import Caller
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, tool_of
from airside.gateways.tools.manifest import ManifestEntry, Manifests
from airside.gateways.tools.mcp_servers.server import McpServer
from airside.gateways.tools.pins import Pins
from airside.gateways.tools.surroundings import Holder, Surroundings
from airside.pipeline.compose import compose
from airside.pipeline.permit import Permit
from airside.policy import load
from airside.secrets.service import Secrets
from airside.secrets.watch import Watch
from airside.testing import InMemoryPlane

SERVERS = Path(__file__).parent / "servers"


class Told:
    """Notices, as they are told."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        self.notices.append((kind, body))

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [body for told, body in self.notices if told == kind]


class Desk:
    """The gateway and what a test wants to touch of it."""

    def __init__(self, plane: InMemoryPlane, manifests: Mapping[str, Any] | None = None) -> None:
        self.plane = plane
        self.told = Told()
        said = {name: ManifestEntry.model_validate(entry) for name, entry in (manifests or {}).items()}
        self.manifests = Manifests(said)
        self.catalogue = ToolCatalogue({}, manifests=self.manifests)
        self.pins = Pins(plane.backend.database, self.catalogue)
        self.gateway = ToolGateway(self.pipeline, self.catalogue, None, self.pins)
        self.over: set[str] = set()
        secrets = SecretSettings()
        self.around = Surroundings(
            plane.backend.database,
            plane.keyring,
            self.told,
            plane.clock,
            "default",
            self.ended,
            Secrets({}, secrets, plane.clock, Watch(plane.clock, 60.0)),
        )

    async def ended(self, holders: Any) -> list[Holder]:
        return [holder for holder in holders if holder.run_id in self.over]

    def pipeline(self, terminal: Forward) -> Forward:
        identify, replay, _, _, _, retry, record = self.plane.steps()
        return compose([identify, replay, Fit(), Permit(self.plane.policy, tool_of), retry, record], terminal)

    async def begin(self, *tools: str) -> Identity:
        changed = replace(await self.plane.start_run(), tools=tools or ("*",))
        self.plane.identities.known[token(changed)] = changed
        return changed

    async def call(self, who: Identity, name: str, **arguments: Any) -> Any:
        outcome = await self.gateway.call(Caller(token(who)), name, arguments)
        return msgspec.json.decode(outcome.body)["result"]

    async def failure(self, who: Identity, name: str, **arguments: Any) -> AirsideError:
        with pytest.raises(AirsideError) as caught:
            await self.call(who, name, **arguments)
        return caught.value

    @asynccontextmanager
    async def server(self, name: str, **settings: Any) -> AsyncIterator[McpServer]:
        """Connect to an MCP server while the context is open."""
        made = McpServer(name, McpServerSettings(**settings), self.manifests, self.around, self.catalogue.set_foreign)
        await made.start()
        try:
            yield made
        finally:
            await made.close()


def token(identity: Identity) -> str:
    return f"{identity.run_id}/{identity.attempt}"


def program(script: str, *arguments: str) -> list[str]:
    """Return the command that starts one of the servers here."""
    return [sys.executable, str(SERVERS / f"{script}.py"), *arguments]


@asynccontextmanager
async def desk_of(manifests: Mapping[str, Any] | None = None, clock: Any = None) -> AsyncIterator[Desk]:
    """Yield a desk with these manifests."""
    async with InMemoryPlane(policy=load_rules(), clock=clock) as plane:
        yield Desk(plane, manifests)


def load_rules() -> Any:
    """Return a policy that allows everything."""
    file = SERVERS.parent / "rules.yaml"
    return load(file)
