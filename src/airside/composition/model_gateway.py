"""The model gateway: the providers that calls may go to, and the paths of every format."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from airside.composition.ground import Ground
from airside.core.ports import Forward
from airside.gateways.http import Asgi
from airside.gateways.models.faces import PATHS
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.histories import Histories
from airside.gateways.models.kept_responses import PREFIX as KEPT_RESPONSES
from airside.gateways.models.kept_responses import KeptResponses
from airside.gateways.models.outgoing import WithoutSecrets
from airside.gateways.models.provider import Routes
from airside.gateways.models.providers.configured import providers
from airside.gateways.models.routing.wishes import stand_ins
from airside.runs.services import RunServices


def model_routes(ground: Ground) -> Routes:
    """Return the configured providers, by the models that they serve."""
    settings = ground.settings
    answering = providers(
        settings.providers,
        mark_prefixes=settings.cache.prompt == "auto",
        secrets=ground.secrets,
        clean=WithoutSecrets(ground.secrets.watch, ground.resilience.notices),
    )
    return Routes(answering, settings.models, settings.model_provider, stand_ins(settings.routing))


def open_model_gateway(
    ground: Ground,
    services: RunServices,
    steps: Callable[[Forward], Forward],
    routes: Routes,
    stack: AsyncExitStack,
) -> Mapping[str, Asgi]:
    """Return what answers at the paths of models."""
    settings, identities = ground.settings, services.identities
    body_bytes_max = settings.server.body_bytes_max
    limits = ModelLimits(body_bytes_max, settings.budgets.reserve_output_tokens)
    gateway = ModelGateway(steps, routes, lambda token: identities.resolve(token, ""), limits)
    stack.push_async_callback(gateway.close)
    histories = Histories(ground.backend.database, ground.keyring, bytes_max=body_bytes_max)
    return {**dict.fromkeys(PATHS, gateway), KEPT_RESPONSES: KeptResponses(histories, identities.resolve)}
