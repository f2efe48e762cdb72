"""`airside serve`: start one role in a process of its own; and what `airside up` shares with it."""

import asyncio
from typing import Annotated

import typer
import uvloop

from airside.cli.group import group
from airside.cli.output import Json, say, show_json
from airside.cli.session import KEY_FILE, Session, forget_url, remember_url, session_of
from airside.config.loading import find_file
from airside.config.private_files import write_private
from airside.config.settings import Settings
from airside.core.errors import AirsideError
from airside.core.run import Role as KeyRole
from airside.plane import Plane, Role
from airside.server import logs
from airside.server.serve import Address, run

app = group("Start one role in a process of its own, to scale apart on Postgres.")

Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="instead of server.port; 0 picks a free port")]


@app.command()
def gateway(context: typer.Context, port: Port = None, json_: Json = False) -> None:
    """Start the model gateway and the tool gateway."""
    start(session_of(context), frozenset({Role.GATEWAY}), port, json_=json_)


@app.command()
def api(context: typer.Context, port: Port = None, json_: Json = False) -> None:
    """Start the management API."""
    start(session_of(context), frozenset({Role.API}), port, json_=json_)


@app.command()
def worker(context: typer.Context, port: Port = None, json_: Json = False) -> None:
    """Start a worker, which executes runs; it listens for health probes only."""
    start(session_of(context), frozenset({Role.WORKER}), port, json_=json_)


def start(session: Session, roles: frozenset[Role], port: int | None, *, json_: bool) -> None:
    """Serve the roles until SIGTERM or Ctrl+C."""
    settings = session.settings()
    if port is not None:
        settings = settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})
    logs.configure(settings.log_level)
    file = find_file(session.config, session.environ)
    say(f"starting airside ({file or 'no configuration file: defaults'}) ...")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(settings, roles, json_=json_))


async def _until_stopped(settings: Settings, roles: frozenset[Role], *, json_: bool) -> None:
    url = ""

    async def ready(plane: Plane, address: Address) -> None:
        nonlocal url
        url = address.url
        await _announce(settings, roles, json_, plane, address)

    try:
        await run(settings, roles, ready)
    finally:
        forget_url(settings, url)


async def _announce(settings: Settings, roles: frozenset[Role], json_: bool, plane: Plane, address: Address) -> None:
    """Tell how this process is reached, and at the first start the one admin key."""
    first_key = await first_keys(settings, plane) if Role.API in roles else None
    if Role.API in roles:
        remember_url(settings, address.url)
    if json_:
        show_json({"url": address.url, "socket": address.socket_path, "roles": sorted(roles), "admin_key": first_key})
        return
    if first_key:
        say("Admin API key, shown this once and stored nowhere in clear:")
        typer.echo(first_key)
    say(f"airside serves {', '.join(sorted(roles))} at {address.url}; data in {settings.data_dir}")
    if roles == frozenset(Role):
        _say_what_next(settings, address.url)
    say("Stop it with Ctrl+C.")


def _say_what_next(settings: Settings, url: str) -> None:
    """Tell a newcomer what to type in another terminal."""
    agents = sorted(settings.agents)
    say("In another terminal:")
    if agents:
        say(f"  airside submit {agents[0]} '\"a task, any JSON\"' --wait   (agents: {', '.join(agents)})")
    else:
        say("  no agents yet: add one under `agents:` in airside.yaml (docs/agents.md), or govern a program with")
        say("  airside run -- python my_program.py")
    say("  airside runs list, airside approvals list, airside budget show, airside --help")
    say(f"Management API: {url}/api/v1/openapi.json, with a key from `airside keys create NAME --role operator`")
    if all(provider.kind == "scripted" for provider in settings.providers.values()):
        say("Models are scripted; for real ones set OPENAI_API_KEY and MODEL_PROVIDER=openai, or configure providers.")


async def first_keys(settings: Settings, plane: Plane) -> str | None:
    """Make the tenant's first admin key if it has none, to be shown once, and this machine's own key for the CLI."""
    first = await plane.services.keys.ensure_first(settings.tenant)
    await local_key(settings, plane)
    return first


async def local_key(settings: Settings, plane: Plane) -> None:
    """Make this machine's own key for the CLI if it is missing or revoked.

    It is kept in data_dir/cli.key, mode 0600: who can read it can read the master key beside it, and so needs no key.
    """
    file = settings.data_dir / KEY_FILE
    try:
        await plane.services.keys.principal(file.read_text().strip())
    except (OSError, AirsideError):
        _, secret = await plane.services.keys.create(settings.tenant, "local CLI", KeyRole.ADMIN, "airside")
        write_private(file, secret)
