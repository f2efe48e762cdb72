"""The tool gateway: the catalogue and where its tools come from, the tool host, and the faces that agents call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from msgspec import Struct, structs

from airside.composition.egress import HOST, open_ways_out
from airside.composition.ground import Ground
from airside.composition.sandbox import CallsOfCode, code_tool
from airside.composition.secrets import egress_step
from airside.composition.tools import manifests, open_sources
from airside.core.ports import Forward, Step
from airside.core.tool import Tool
from airside.gateways.http import Asgi, Caller
from airside.gateways.tools.catalogue import Execute, ToolCatalogue
from airside.gateways.tools.gateway import ToolGateway
from airside.gateways.tools.guarding.descriptions import Descriptions
from airside.gateways.tools.guarding.results import Results
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.json_post import JsonPost, typed
from airside.gateways.tools.local import LocalFace
from airside.gateways.tools.mcp import McpFace
from airside.gateways.tools.pins import Pins
from airside.gateways.tools.recall import RECALL, Recall
from airside.gateways.tools.remembering.outdate import Outdate
from airside.gateways.tools.remembering.shelf import Shelf
from airside.guards.service import Guards
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.compose import compose
from airside.pipeline.settle import Settle
from airside.runs.narrowing import Narrower, Narrowing
from airside.runs.services import RunServices

NARROWING_BYTES_MAX = 65_536  # rules for a sub-agent, not a document

BuiltIn = Sequence[tuple[Tool, Execute]]


class OpenTools(Struct, frozen=True):
    """What answers at the paths of tools, the tool host, and every tool."""

    paths: Mapping[str, Asgi]
    host: HostedTools
    catalogue: ToolCatalogue


async def open_tool_gateway(
    ground: Ground,
    services: RunServices,
    steps: Callable[[Forward], Forward],
    afterwork: Afterwork,
    of_provenance: BuiltIn,
    guards: Guards,
    stack: AsyncExitStack,
) -> OpenTools:
    """Start the tool host, connect to every source of tools, and make the gateway around them."""
    settings, database = ground.settings, ground.backend.database
    calls_of_code = CallsOfCode()
    built_in = [*_own(ground, services, stack), *of_provenance, *code_tool(ground, calls_of_code, stack)]
    said = manifests(ground)
    catalogue = ToolCatalogue(settings.tools.local, built_in, said)
    ways_out = await open_ways_out(ground, stack)
    hosted = HostedTools(settings.tools, catalogue.set_hosted, ways_out.environment(HOST))
    await hosted.start()
    stack.push_async_callback(hosted.close)
    notices, tenant = ground.resilience.notices, settings.tenant
    described = Descriptions(guards, notices, tenant, catalogue.set_foreign)
    await open_sources(ground, described, said, stack, ways_out)

    pins = Pins(database, catalogue)
    results = Results(guards)
    last: list[Step] = [
        results,
        Outdate(Shelf(database, ground.keyring)),
        egress_step(settings, ground.secrets, notices, ground.clock),
    ]
    gateway = ToolGateway(lambda terminal: steps(compose(last, terminal)), catalogue, hosted, pins)
    calls_of_code.go_through(gateway, catalogue)
    body_bytes_max = settings.server.body_bytes_max
    mcp = McpFace(gateway, catalogue, services.identities, body_bytes_max=body_bytes_max, pins=pins)
    await stack.enter_async_context(mcp.running())
    local = _local(ground, services, gateway, afterwork, results)
    paths: Mapping[str, Asgi] = {
        "/mcp": mcp,
        "/v1/tools/authorize": local.authorize,
        "/v1/tools/report": local.report,
        "/v1/tokens": _narrowing(services.narrowing),
    }
    return OpenTools(paths, hosted, catalogue)


def _own(ground: Ground, services: RunServices, stack: AsyncExitStack) -> BuiltIn:
    """Return the tools that airside brings to every run: its own past, and handing tasks on."""
    recall, handoffs = Recall(ground.backend.database, ground.keyring), services.handoffs
    stack.callback(handoffs.close)
    return [(RECALL, recall), *[(tool, handoffs) for tool in handoffs.tools()]]


def _local(
    ground: Ground, services: RunServices, gateway: ToolGateway, afterwork: Afterwork, results: Results
) -> LocalFace:
    journal, keyring = ground.backend.journal, ground.keyring
    return LocalFace(
        gateway,
        journal,
        keyring,
        Settle(journal, keyring, afterwork),
        services.identities.reporter,
        ground.resilience.breakers,
        results,
        body_bytes_max=ground.settings.server.body_bytes_max,
    )


def _narrowing(narrowing: Narrowing) -> JsonPost:
    """Return POST /v1/tokens: an attempt makes a token that may do less than its own (docs/handoffs.md)."""

    async def make(caller: Caller, asked: Any) -> Mapping[str, Any]:
        return structs.asdict(await narrowing.make(caller.token, typed(asked, Narrower)))

    return JsonPost(make, body_bytes_max=NARROWING_BYTES_MAX, status=201)
