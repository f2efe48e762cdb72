"""The composition root: every part of airside is made here, from settings, and handed what it needs. Read this first.

    async with Plane.open(settings, {Role.GATEWAY, Role.API, Role.WORKER}, meeting) as plane, plane.working(): ...

Nothing else constructs a database, a pipeline, a gateway or a worker. What is opened later is closed earlier: a process
stops taking runs, ends its attempts, lets calls settle, and closes the database last.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from airside.adapters.inline import run_agent
from airside.config.installation import database_url, master_key_file, prepare_folder, webhook_secret
from airside.config.settings import ProviderSettings, Settings
from airside.core.clock import Clock, SystemClock
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Database, Forward, Keyring, Step
from airside.gateways.http import Receive, Scope, Send
from airside.gateways.models.faces import PATHS as MODEL_PATHS
from airside.gateways.models.gateway import ModelGateway, ModelLimits
from airside.gateways.models.pricing import Pricing
from airside.gateways.models.provider import Provider, Routes
from airside.gateways.models.providers.http import HttpProvider
from airside.gateways.models.providers.scripted import WITHOUT_SCRIPT, ScriptedModel
from airside.gateways.models.providers.services import OpenAICompatible
from airside.gateways.models.upstream import AiohttpUpstream
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.fit import Fit
from airside.gateways.tools.gateway import ToolGateway, rebuild, tool_of
from airside.gateways.tools.hosted import HostedTools
from airside.gateways.tools.local import LocalFace
from airside.gateways.tools.mcp import McpFace
from airside.journal.backend import Backend, connect
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring
from airside.pipeline.afterwork import Afterwork
from airside.pipeline.approve import Approve
from airside.pipeline.compose import compose
from airside.pipeline.identify import Identify
from airside.pipeline.permit import Permit
from airside.pipeline.record import Record
from airside.pipeline.replay import Replay
from airside.pipeline.retry import Retry
from airside.pipeline.settle import Settle
from airside.policy.loading import load as load_policy
from airside.runs.isolation.choose import ChosenLauncher
from airside.runs.services import RunServices
from airside.runs.worker import Place

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
SETTLE_S = 10.0  # how long a closing process insists on writing outcomes


class Role(StrEnum):
    """What a process does. `airside up` is all of them in one."""

    GATEWAY = "gateway"
    API = "api"
    WORKER = "worker"


class Meeting(Struct, frozen=True):
    """Where attempts reach the gateways: base URL, and the Unix socket that enters namespaces."""

    url: str
    socket_path: str


class Plane(Struct, kw_only=True, frozen=True):
    """A running airside: what the server and the CLI use of it. Made by `Plane.open` only."""

    settings: Settings
    database: Database
    services: RunServices
    gateways: Mapping[str, Asgi]
    tool_host: HostedTools | None

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, roles: Iterable[Role], meeting: Meeting) -> AsyncIterator["Plane"]:
        """Make what the roles need, ready to answer; `working` then begins to execute runs.

        Raises AirsideError `misconfigured` or `journal_unavailable` if anything cannot be started.
        """
        wanted = frozenset(roles)
        async with AsyncExitStack() as stack:
            ground = await _ground(settings, stack)
            services = _services(ground, wanted, meeting, stack)
            await services.leases.renew()  # before the first call, so that its executor counts as alive
            gateways, tool_host = await _gateways(ground, services, stack) if Role.GATEWAY in wanted else ({}, None)
            yield Plane(
                settings=settings,
                database=ground.backend.database,
                services=services,
                gateways=gateways,
                tool_host=tool_host,
            )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Do the work that nobody asks for: dispatch, execute, sweep, deliver webhooks, renew leases.

        Entered once requests are being answered, because attempts call the gateways from their first moment on, and
        left while they still are: attempts under way are ended and their runs go back to the queue.
        """
        try:
            await self.services.start()
            yield
        finally:
            await self.services.close()

    async def check_ready(self) -> None:
        """Return if work can be taken; raises `journal_unavailable`, or `tool_failed` while the tool host is down."""
        await self.database.transact(_nothing)
        if self.tool_host is not None and self.settings.tools.modules and self.tool_host.pid is None:
            raise AirsideError(Code.TOOL_FAILED, "the tool host is not running; it is being started again")


class _Ground(Struct, frozen=True):
    """What every role stands on."""

    settings: Settings
    clock: Clock
    backend: Backend
    keyring: Keyring


async def _ground(settings: Settings, stack: AsyncExitStack) -> _Ground:
    """Open the database and the keys."""
    prepare_folder(settings)
    master_key = load_master_key(master_key_file(settings))
    backend = await connect(database_url(settings), settings=settings.database, executor_id=new_id("exe"))
    stack.push_async_callback(backend.close)
    keyring = DatabaseKeyring(backend.database, master_key)
    await keyring.prove(settings.tenant)
    return _Ground(settings, SystemClock(), backend, keyring)


def _services(ground: _Ground, roles: frozenset[Role], meeting: Meeting, stack: AsyncExitStack) -> RunServices:
    """Make everything around runs; a worker also gets the launcher that starts attempts."""
    settings = ground.settings
    executing: dict[str, Any] = {}
    if Role.WORKER in roles:
        launcher = ChosenLauncher(settings.runs.isolation, run_agent)
        stack.push_async_callback(launcher.close)
        place = Place(meeting.url, meeting.socket_path, hidden_paths(settings))
        executing = {"launcher_for": lambda _: launcher, "place": lambda: place}
    return RunServices.build(
        settings,
        ground.backend,
        ground.keyring,
        ground.clock,
        kind="+".join(sorted(roles)),
        webhook_secret=webhook_secret(settings),
        **executing,
    )


def hidden_paths(settings: Settings) -> tuple[str, ...]:
    """Return what an attempt must never see: the data folder, the settings file, and what holds keys or data."""
    keys = [settings.master_key_file, *[provider.api_key_file for provider in settings.providers.values()]]
    private = (settings.data_dir, *keys, settings.model_config.get("yaml_file"), *_sqlite_files(settings))
    return tuple(str(Path(str(path)).absolute()) for path in private if path is not None)


def _sqlite_files(settings: Settings) -> tuple[str, ...]:
    """Return the database's files, which may lie outside the data folder."""
    scheme, _, path = database_url(settings).partition(":///")
    return (path, f"{path}-wal", f"{path}-shm") if scheme == "sqlite" else ()


async def _gateways(
    ground: _Ground, services: RunServices, stack: AsyncExitStack
) -> tuple[Mapping[str, Asgi], HostedTools]:
    """Start the tool host and make both gateways around the one pipeline."""
    settings, identities, journal = ground.settings, services.identities, ground.backend.journal
    afterwork = Afterwork(ground.clock)
    stack.push_async_callback(afterwork.drain, SETTLE_S)
    pipeline = _pipeline(ground, services, afterwork)

    limits = ModelLimits(settings.server.body_bytes_max, settings.budgets.reserve_output_tokens)
    routes = Routes(_providers(settings.providers), settings.models, settings.model_provider)
    models = ModelGateway(pipeline, routes, lambda token: identities.resolve(token, ""), limits)
    stack.push_async_callback(models.close)

    catalogue = ToolCatalogue(settings.tools.local)
    hosted = HostedTools(settings.tools, catalogue.set_hosted)
    await hosted.start()
    stack.push_async_callback(hosted.close)
    tools = ToolGateway(pipeline, catalogue, hosted)
    body_bytes_max = settings.server.body_bytes_max
    mcp = McpFace(tools, catalogue, identities, body_bytes_max=body_bytes_max)
    await stack.enter_async_context(mcp.running())
    local = LocalFace(
        tools,
        journal,
        ground.keyring,
        Settle(journal, ground.keyring, afterwork),
        identities.reporter,
        body_bytes_max=body_bytes_max,
    )
    return {
        **dict.fromkeys(MODEL_PATHS, models),
        "/mcp": mcp,
        "/v1/tools/authorize": local.authorize,
        "/v1/tools/report": local.report,
    }, hosted


def _pipeline(ground: _Ground, services: RunServices, afterwork: Afterwork) -> Callable[[Forward], Forward]:
    """Return the one pipeline, in the order that is the design: see docs/architecture.md."""
    settings, journal, keyring, clock = ground.settings, ground.backend.journal, ground.keyring, ground.clock
    identities, policy = services.identities, load_policy(settings.policy.file)
    steps: list[Step] = [
        Identify(identities, clock),
        Replay(
            journal,
            keyring,
            identities,
            services.suspensions,
            clock,
            afterwork,
            divergence_wait_s=settings.runs.divergence_wait_s,
        ),
        Fit(),
        Permit(policy, tool_of),
        Approve(services.approvals, policy, tool_of, rebuild, keyring),
        Retry(clock),
        Record(journal, keyring, identities, clock, afterwork, budget_wait_s=settings.budgets.wait_s),
    ]
    return lambda terminal: compose(steps, terminal)


def _providers(configured: Mapping[str, ProviderSettings]) -> Mapping[str, Provider]:
    pricing = Pricing()
    made: dict[str, Provider] = {}
    for name, provider in configured.items():
        if provider.kind == "scripted":
            made[name] = ScriptedModel(name, provider.script or WITHOUT_SCRIPT)
        else:
            upstream = AiohttpUpstream(connections_max=provider.connections_max)
            made[name] = HttpProvider(name, provider, OpenAICompatible(name, provider), upstream, pricing)
    return made


async def _nothing(tx: object) -> None:
    """Write nothing: reaching the commit is the proof that the database can be written."""
