"""One process that serves: it binds TCP and the gateways' Unix socket, opens the plane and runs uvicorn on both.

The order matters: the port is bound first, because attempts are told the gateways' address; the plane opens before
the first request and closes after the last.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import structlog
import uvicorn
from msgspec import Struct

from airside.config.installation import gateway_socket, prepare_folder
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.linux import calls as linux
from airside.plane import Meeting, Plane, Role
from airside.server import management
from airside.server.asgi import App, FrontDoor
from airside.server.peers import Peers
from airside.server.protocol import BoundedProtocol

BACKLOG = 2_048
KEEP_ALIVE_S = 75  # longer than the pools of usual clients keep an idle connection
COLLECT_AFTER = (50_000, 20, 50)  # allocations, then collections of the next younger generation
_log = structlog.get_logger("airside.server")


class Address(Struct, frozen=True):
    """Where this process is reached."""

    url: str
    socket_path: str


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: one process runs two servers, and `serve` owns the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


@contextlib.asynccontextmanager
async def serving(settings: Settings, roles: frozenset[Role]) -> AsyncIterator[tuple[Plane, Address]]:
    """Serve on loopback (or where the settings say) while the context lasts.

    Raises AirsideError `misconfigured` if the address is taken. Leaving the context stops accepting, gives what is in
    flight `server.shutdown_grace_s`, then closes the plane.
    """
    prepare_folder(settings)
    with _bound(settings) as listener:
        address = _address(settings, listener)
        meeting = _meeting(settings, roles, address)
        async with Plane.open(settings, roles, meeting) as plane:
            door = FrontDoor(
                plane.gateways,
                management.build(plane, serve_api=Role.API in roles),
                Peers(settings.rates.trusted_proxies),
                in_flight_max=settings.server.requests_in_flight_max,
            )
            uds = address.socket_path if Role.GATEWAY in roles and not _answers(address.socket_path) else None
            async with _running(door, settings, listener, uds), plane.working():
                try:
                    yield plane, address
                finally:
                    plane.services.signals.closing = True


def settle_collector() -> None:
    """Spare the garbage collector what lives as long as the process; a call makes little that needs it at all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def run(
    settings: Settings, roles: frozenset[Role], on_ready: Callable[[Plane, Address], Awaitable[None]]
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` is called once, when requests are being answered."""
    forbid_dumps()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, roles) as (plane, address):
        settle_collector()
        await on_ready(plane, address)
        await stop.wait()
        _log.info("stopping", grace_s=settings.server.shutdown_grace_s)


def forbid_dumps() -> None:
    """Make this process non-dumpable: no core files, and no other process of the user reads its memory."""
    try:
        linux.hide_memory()
    except OSError as error:
        _log.warning("cannot make the process non-dumpable", errno=error.errno)


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"cannot listen on {host} port {port}: {error.strerror}",
            advice="Is airside running already? Set server.port to another port, or to 0 for a free one.",
        ) from None
    with listener:
        yield listener


def _address(settings: Settings, listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return Address(f"http://{shown}:{port}", str(gateway_socket(settings)))


def _meeting(settings: Settings, roles: frozenset[Role], address: Address) -> Meeting:
    """Return where attempts of this process reach the gateways: here, unless the settings say elsewhere."""
    if Role.WORKER in roles and Role.GATEWAY not in roles and not settings.server.gateway_url:
        raise AirsideError(
            Code.MISCONFIGURED,
            "server.gateway_url: a worker without gateways of its own must know where they are",
            advice="Set it to the address of `airside serve gateway`, or use `airside up`.",
        )
    return Meeting(settings.server.gateway_url or address.url, address.socket_path)


def _answers(path: str) -> bool:
    """Whether another process serves a Unix socket already; the name of a dead one may be taken over."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@contextlib.asynccontextmanager
async def _running(door: App, settings: Settings, listener: socket.socket, uds: str | None) -> AsyncIterator[None]:
    """Run one uvicorn server on the TCP listener and, for gateways, one on the Unix socket `uds`."""
    grace_s = max(1, round(settings.server.shutdown_grace_s))
    servers = [Server(_config(door, grace_s))]
    tasks = [asyncio.create_task(servers[0].serve([listener]))]
    if uds is not None:
        _forget_socket(uds)
        servers.append(Server(_config(door, grace_s, uds=uds)))
        tasks.append(asyncio.create_task(servers[1].serve()))
    try:
        await _until_started(servers, tasks)
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        if uds is not None:
            _forget_socket(uds)


def _forget_socket(path: str) -> None:
    """Remove the socket's name: this process's own, or one that a killed process left."""
    Path(path).unlink(missing_ok=True)


async def _until_started(servers: list[Server], tasks: list["asyncio.Task[None]"]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                task.result()
                raise AirsideError(Code.MISCONFIGURED, "the server ended while it started")
        await asyncio.sleep(0.005)


def _config(door: App, grace_s: int, uds: str | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        door,
        uds=uds,
        http=BoundedProtocol,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=grace_s,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
