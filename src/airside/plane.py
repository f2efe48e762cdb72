"""The composition root: every part of airside is made here, from settings, and handed what it needs. Read this first.

    async with Plane.open(settings, {Role.GATEWAY, Role.API, Role.WORKER}, meeting) as plane, plane.working(): ...

Nothing else constructs a database, a pipeline, a gateway or a worker. What is opened later is closed earlier: a process
stops taking runs, ends its attempts, lets calls settle, and closes the database last.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from airside.adapters.inline import run_agent
from airside.composition.approvals import open_reviews
from airside.composition.batches import Batches, open_batches
from airside.composition.gateways import open_gateways
from airside.composition.ground import Ground, open_ground
from airside.composition.guards import open_guards
from airside.config.installation import database_url, webhook_secret
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring
from airside.gateways.http import Asgi
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.hosted import HostedTools
from airside.resilience.services import Resilience
from airside.runs.isolation.choose import ChosenLauncher
from airside.runs.services import RunServices
from airside.runs.worker import Place


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
    keyring: Keyring
    services: RunServices
    resilience: Resilience
    batches: Batches
    gateways: Mapping[str, Asgi]
    tool_host: HostedTools | None
    tools: ToolCatalogue | None

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, roles: Iterable[Role], meeting: Meeting) -> AsyncIterator["Plane"]:
        """Make what the roles need, ready to answer; `working` then begins to execute runs.

        Raises AirsideError `misconfigured` or `journal_unavailable` if anything cannot be started.
        """
        wanted = frozenset(roles)
        async with AsyncExitStack() as stack:
            ground = await open_ground(settings, stack)
            services = _services(ground, wanted, meeting, stack)
            open_reviews(ground, services)
            await services.leases.renew()  # before the first call, so that its executor counts as alive
            guards = open_guards(ground, stack)
            batches = await open_batches(ground, services, guards, stack, keeping=Role.GATEWAY in wanted)
            gateways = await open_gateways(ground, services, guards, stack) if Role.GATEWAY in wanted else None
            yield Plane(
                settings=settings,
                database=ground.backend.database,
                keyring=ground.keyring,
                services=services,
                resilience=ground.resilience,
                batches=batches,
                gateways=gateways.paths if gateways else {},
                tool_host=gateways.tool_host if gateways else None,
                tools=gateways.tools if gateways else None,
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


def _services(ground: Ground, roles: frozenset[Role], meeting: Meeting, stack: AsyncExitStack) -> RunServices:
    """Make everything around runs; a worker also gets the launcher that starts attempts."""
    settings = ground.settings
    executing: dict[str, Any] = {}
    if Role.WORKER in roles:
        launcher = ChosenLauncher(settings.runs.isolation, run_agent, settings.sandbox.container)
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
    keys = [settings.master_key_file, *[file for provider in settings.providers.values() for file in provider.files]]
    private = (settings.data_dir, *keys, settings.model_config.get("yaml_file"), *_sqlite_files(settings))
    return tuple(str(Path(str(path)).absolute()) for path in private if path is not None)


def _sqlite_files(settings: Settings) -> tuple[str, ...]:
    """Return the database's files, which may lie outside the data folder."""
    scheme, _, path = database_url(settings).partition(":///")
    return (path, f"{path}-wal", f"{path}-shm") if scheme == "sqlite" else ()


async def _nothing(tx: object) -> None:
    """Write nothing: reaching the commit is the proof that the database can be written."""
