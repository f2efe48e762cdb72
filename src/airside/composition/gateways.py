"""The two gateways, around the one pipeline: what answers at which path."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from msgspec import Struct

from airside.composition.ground import Ground
from airside.composition.model_gateway import model_routes, open_model_gateway
from airside.composition.pipelines import pipeline
from airside.composition.provenance import Manifests, Provenance
from airside.composition.tool_gateway import open_tool_gateway
from airside.gateways.http import Asgi
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.hosted import HostedTools
from airside.guards.service import Guards
from airside.pipeline.afterwork import Afterwork
from airside.runs.services import RunServices

SETTLE_S = 10.0  # how long a closing process insists on writing outcomes


class Gateways(Struct, frozen=True):
    """What answers at which path, the tool host, and every tool."""

    paths: Mapping[str, Asgi]
    tool_host: HostedTools
    tools: ToolCatalogue


async def open_gateways(ground: Ground, services: RunServices, guards: Guards, stack: AsyncExitStack) -> Gateways:
    """Start the tool host and make both gateways around the one pipeline."""
    afterwork = Afterwork(ground.clock)
    stack.push_async_callback(afterwork.drain, SETTLE_S)
    routes = model_routes(ground)
    manifest_of = Manifests()
    provenance = Provenance(ground, manifest_of, guards.placeholders)
    steps = pipeline(ground, services, afterwork, routes, provenance.witness, guards)
    models = open_model_gateway(ground, services, steps, routes, stack)
    tools = await open_tool_gateway(ground, services, steps, afterwork, provenance.tools(), guards, stack)
    manifest_of.are_in(tools.catalogue)
    return Gateways({**models, **tools.paths}, tools.host, tools.catalogue)
