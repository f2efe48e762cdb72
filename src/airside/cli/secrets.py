"""`airside secrets`: what is configured, what can be had, writing and rotating; no value is ever printed."""

import asyncio
import secrets
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

import typer

from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.composition.secrets import open_secrets
from airside.config.settings import Settings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code
from airside.secrets.forms import weak
from airside.secrets.grants import Asker, Grants
from airside.secrets.handle import Handle, handles_in, parse
from airside.secrets.lease import VALUE_BYTES_MAX, usable
from airside.secrets.service import Secrets
from airside.server import logs

app = group("See which secrets are configured and can be had; write and rotate them. Values are never printed.")
HandleName = Annotated[str, typer.Argument(metavar="HANDLE", help="secret://STORE/NAME or secret://STORE/NAME#FIELD")]
COMMAND_S_MAX = 120.0


@app.command("list")
def list_(context: typer.Context, json_: Json = False) -> None:
    """List the handles that the configuration names, and what for."""
    settings = session_of(context).settings()
    rows = [
        {"handle": handle, "store": _kind(settings, handle), "used_by": used_by}
        for handle, used_by in sorted(_mentioned(settings))
    ]
    show_json({"items": rows}) if json_ else show_table(rows, ("handle", "store", "used_by"), "no secrets are named")


@app.command()
def grants(
    context: typer.Context,
    tool: Annotated[str, typer.Option(help="what this tool gets")] = "",
    agent: Annotated[str, typer.Option(help="called by this agent")] = "*",
    json_: Json = False,
) -> None:
    """List who may use which secret; with --tool, what a function finds under which name."""
    settings = session_of(context).settings()
    if tool:
        asker = Asker(settings.tenant, agent, tool)
        named = Grants(settings.secrets.grants, settings.tenant).named(asker)
        rows = [{"name": name, "secret": handle} for name, handle in sorted(named.items())]
        show_json({"items": rows}) if json_ else show_table(rows, ("name", "secret"), f"{tool} gets nothing by name")
        return
    rows = [grant.model_dump() | {"tenants": grant.tenants or [settings.tenant]} for grant in settings.secrets.grants]
    columns = ("secret", "tools", "agents", "tenants", "name", "arguments", "hosts")
    show_json({"items": rows}) if json_ else show_table(rows, columns, "no grants: nobody may use any secret")


@app.command()
def check(context: typer.Context, json_: Json = False) -> None:
    """Ask every store, and for every handle that the configuration names. Exit code 1 if anything cannot be had."""
    logs.configure("error")  # what is wrong stands in the table
    rows = asyncio.run(_checked(session_of(context).settings()))
    if json_:
        show_json({"ok": all(row["ok"] for row in rows), "items": rows})
    else:
        show_table(rows, ("what", "ok", "message"), "nothing is configured")
    raise typer.Exit(Exit.OK if all(row["ok"] for row in rows) else Exit.FAILED)


@app.command("set")
def set_(context: typer.Context, handle: HandleName, json_: Json = False) -> None:
    """Write a secret to its store, as a new version; the value is read from a hidden prompt or from stdin."""
    named = parse(handle)
    value = typer.prompt("value", hide_input=True, err=True) if sys.stdin.isatty() else _read()
    asyncio.run(_put(session_of(context).settings(), named, usable(value, named)))
    if weak(value):
        say("warning: so plain a value can only be recognised in its exact spelling; a random one is better")
    show_json({"handle": handle, "written": True}) if json_ else say(f"{handle} is written")


@app.command()
def rotate(
    context: typer.Context,
    handle: HandleName,
    command: Annotated[
        str, typer.Option(help="program that makes the other side accept the new value, given to it on stdin")
    ] = "",
    length: Annotated[int, typer.Option(min=16, max=4_096, help="random bytes of the new value")] = 32,
    json_: Json = False,
) -> None:
    """Make a new random value: first the other side learns it (--command), then the store gets it as a new version.

    Running airsides take it from there with their next fetch, and at once when the old value is refused.
    """
    named, value = parse(handle), secrets.token_urlsafe(length)
    settings = session_of(context).settings()
    asyncio.run(_checked_store(settings, named))
    if command:
        _told(command, value)
    asyncio.run(_put(settings, named, value))
    show_json({"handle": handle, "rotated": True}) if json_ else say(f"{handle} has a new value")


def _read() -> str:
    return sys.stdin.read(VALUE_BYTES_MAX + 2).removesuffix("\n").removesuffix("\r")


def _told(command: str, value: str) -> None:
    """Hand a value to a program; raises `tool_failed` if it does not take it, before the store is changed."""
    try:
        done = subprocess.run(
            shlex.split(command), input=value.encode(), stdout=subprocess.DEVNULL, timeout=COMMAND_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise AirsideError(Code.TOOL_FAILED, f"--command cannot be run: {type(error).__name__}") from None
    if done.returncode:
        raise AirsideError(
            Code.TOOL_FAILED,
            f"--command ended with code {done.returncode}; the store is unchanged",
            advice="See what it said; run it again once it is mended.",
        )


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Secrets]:
    async with AsyncExitStack() as stack:
        yield open_secrets(settings, SystemClock(), stack)


async def _put(settings: Settings, handle: Handle, value: str) -> None:
    async with _opened(settings) as opened:
        await opened.put(handle, value)


async def _checked_store(settings: Settings, handle: Handle) -> None:
    """Raise before anything is changed if the store does not answer."""
    async with _opened(settings) as opened:
        async for store, error in opened.check():
            if store == handle.store and error is not None:
                raise error


async def _checked(settings: Settings) -> list[dict[str, Any]]:
    rows = []
    async with _opened(settings) as opened:
        async for store, error in opened.check():
            rows.append({"what": f"store {store}", "ok": error is None, "message": _said(error)})
        for handle in sorted({handle for handle, _ in _mentioned(settings) if not handle.endswith("*")}):
            failure, message = None, ""
            try:
                lease = await opened.resolve(handle)
                message = "plain: only its exact spelling can be recognised" if weak(lease.value) else ""
            except AirsideError as error:
                failure = error
            rows.append({"what": handle, "ok": failure is None, "message": _said(failure) or message})
    return rows


def _said(error: AirsideError | None) -> str:
    return f"{error.message}. {error.advice}" if error else ""


def _mentioned(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield every handle in the settings, with what it is for."""
    for name, provider in settings.providers.items():
        key = provider.api_key.get_secret_value() if provider.api_key else ""
        yield from ((str(place.handle), f"providers.{name}.api_key") for place in handles_in(key) if place.handle)
    for grant in settings.secrets.grants:
        yield grant.secret, f"tools {', '.join(grant.tools)}"


def _kind(settings: Settings, handle: str) -> str:
    store = settings.secrets.stores.get(handle.removeprefix("secret://").partition("/")[0])
    return store.kind if store else "not configured"
