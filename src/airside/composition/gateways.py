"""The two gateways, around the one pipeline: what answers at which path."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from msgspec import Struct, structs

from airside.composition.egress import HOST, open_ways_out
from airside.composition.ground import Ground
from airside.composition.pipelines import pipeline
from airside.composition.provenance import Manifests, Provenance
from airside.composition.sandbox import CallsOfCode, code_tool
from airside.composition.secrets import egress_step
from airside.composition.tools import manifests, open_sources
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.http import Receive, Scope, Send
from airside.gateways.models.faces import PATHS as MODEL_PATHS
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.histories import Histories
from airside.gateways.models.kept_responses import PREFIX as KEPT_RESPONSES
from airside.gateways.models.kept_responses import KeptResponses
from airside.gateways.models.outgoing import WithoutSecrets
from airside.gateways.models.provider import Routes
from airside.gateways.models.providers.configured import providers
from airside.gateways.models.routing.wishes import stand_ins
from airside.gateways.tools.catalogue import Execute, ToolCatalogue
from airside.gateways.tools.gateway import ToolGateway
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.local import LocalFace
from airside.gateways.tools.mcp import McpFace
from airside.gateways.tools.narrowing import Make, NarrowingFace
from airside.gateways.tools.pins import Pins
from airside.gateways.tools.recall import RECALL, Recall
from airside.gateways.tools.remembering.outdate import Outdate
from airside.gateways.tools.remembering.shelf import Shelf
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.compose import compose
from airside.pipeline.settle import Settle
from airside.runs.narrowing import Narrower, Narrowing
from airside.runs.services import RunServices

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
SETTLE_S = 10.0  # how long a closing process insists on writing outcomes


class Gateways(Struct, frozen=True):
    """What answers at which path, the tool host, and every tool."""

    paths: Mapping[str, Asgi]
    tool_host: HostedTools
    tools: ToolCatalogue


async def open_gateways(ground: Ground, services: RunServices, stack: AsyncExitStack) -> Gateways:
    """Start the tool host and make both gateways around the one pipeline."""
    settings, identities, journal = ground.settings, services.identities, ground.backend.journal
    afterwork = Afterwork(ground.clock)
    stack.push_async_callback(afterwork.drain, SETTLE_S)
    answering = providers(
        settings.providers,
        mark_prefixes=settings.cache.prompt == "auto",
        secrets=ground.secrets,
        clean=WithoutSecrets(ground.secrets.watch, ground.resilience.notices),
    )
    routes = Routes(answering, settings.models, settings.model_provider, stand_ins(settings.routing))
    manifest_of = Manifests()
    provenance = Provenance(ground, manifest_of)
    steps = pipeline(ground, services, afterwork, routes, provenance.witness)

    limits = ModelLimits(settings.server.body_bytes_max, settings.budgets.reserve_output_tokens)
    models = ModelGateway(steps, routes, lambda token: identities.resolve(token, ""), limits)
    stack.push_async_callback(models.close)

    recall = Recall(ground.backend.database, ground.keyring)
    handoffs = services.handoffs
    stack.callback(handoffs.close)
    built_in: list[tuple[Tool, Execute]] = [(RECALL, recall), *[(tool, handoffs) for tool in handoffs.tools()]]
    calls_of_code = CallsOfCode()
    built_in += provenance.tools()
    built_in += code_tool(ground, calls_of_code, stack)
    said = manifests(ground)
    catalogue = ToolCatalogue(settings.tools.local, built_in, said)
    manifest_of.are_in(catalogue)
    ways_out = await open_ways_out(ground, stack)
    hosted = HostedTools(settings.tools, catalogue.set_hosted, ways_out.environment(HOST))
    await hosted.start()
    stack.push_async_callback(hosted.close)
    await open_sources(ground, catalogue, said, stack, ways_out)
    pins = Pins(ground.backend.database, catalogue)
    egress = egress_step(settings, ground.secrets, ground.resilience.notices, ground.clock)
    outdate = Outdate(Shelf(ground.backend.database, ground.keyring))
    tools = ToolGateway(lambda terminal: steps(compose([outdate, egress], terminal)), catalogue, hosted, pins)
    calls_of_code.go_through(tools, catalogue)
    body_bytes_max = settings.server.body_bytes_max
    mcp = McpFace(tools, catalogue, identities, body_bytes_max=body_bytes_max, pins=pins)
    await stack.enter_async_context(mcp.running())
    local = LocalFace(
        tools,
        journal,
        ground.keyring,
        Settle(journal, ground.keyring, afterwork),
        identities.reporter,
        ground.resilience.breakers,
        body_bytes_max=body_bytes_max,
    )
    histories = Histories(ground.backend.database, ground.keyring, bytes_max=body_bytes_max)
    paths: Mapping[str, Asgi] = {
        **dict.fromkeys(MODEL_PATHS, models),
        KEPT_RESPONSES: KeptResponses(histories, identities.resolve),
        "/mcp": mcp,
        "/v1/tools/authorize": local.authorize,
        "/v1/tools/report": local.report,
        "/v1/tokens": NarrowingFace(_narrower(services.narrowing)),
    }
    return Gateways(paths, hosted, catalogue)


def _narrower(narrowing: Narrowing) -> Make:
    async def make(token: str, asked: Any) -> Mapping[str, Any]:
        try:
            wanted = msgspec.convert(asked, Narrower)
        except msgspec.ValidationError as error:
            raise AirsideError(Code.INVALID_REQUEST, str(error)) from None
        return structs.asdict(await narrowing.make(token, wanted))

    return make
