"""`airside tools`: which tools there are, drafts of their manifests, and whether they are still what was confirmed."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.composition.looking import Looked, look
from airside.composition.secrets import open_secrets
from airside.config.settings import Settings
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.manifest import Manifests, load_manifests
from airside.gateways.tools.seen import Status, draft, report
from airside.server import logs

app = group("See which tools there are, draft what they do, check that they are what was confirmed.")

Mcp = Annotated[list[str], typer.Option("--mcp", metavar="NAME", help="only this MCP server; may be repeated")]
OpenApi = Annotated[list[str], typer.Option("--openapi", metavar="NAME", help="only this API; may be repeated")]
Modules = Annotated[bool, typer.Option("--modules", help="only the functions of tools.modules")]


@app.command("list")
def list_(context: typer.Context, json_: Json = False) -> None:
    """List the tools of a running airside, and what is known of each."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/tools")
    if json_:
        show_json(found)
        return
    show_table(found["items"], ("name", "source", "effect", "declared", "description"), "there are no tools")
    for out in found["left_out"]:
        say(f"left out: {out['name']}: {out['why']}")


@app.command()
def show(context: typer.Context, name: str, json_: Json = False) -> None:
    """Show a tool of a running airside: its manifest, and the schema of its arguments."""
    with session_of(context).client() as client:
        tool: dict[str, Any] = client.get(f"/api/v1/tools/{name}")
    if json_:
        show_json(tool)
        return
    rows = [{"": key, "value": value} for key, value in tool.items() if value not in ("", [], {}, None)]
    show_table(rows, ("", "value"), "")


@app.command()
def scan(
    context: typer.Context,
    *,
    mcp: Mcp = [],  # noqa: B006 - Typer's way to repeat an option
    openapi: OpenApi = [],  # noqa: B006 - Typer's way to repeat an option
    modules: Modules = False,
    all_: Annotated[bool, typer.Option("--all", help="also tools that are declared already")] = False,
    out: Annotated[Path | None, typer.Option(help="write to this file, which must not exist; else to stdout")] = None,
    json_: Json = False,
) -> None:
    """Draft manifests from schemas and from what sources claim, for a person to confirm; nothing of it is in force."""
    settings = session_of(context).settings()
    (seen, unreached), _ = _looked(settings, _only(mcp, openapi, modules=modules))
    for left in unreached:
        say(f"{left.name}: {left.why}")
    text = draft([tool for tool in seen if all_ or tool.status is not Status.DECLARED])
    if out is not None:
        _write(out, text)
    if json_:
        show_json({"draft": text, "left_out": [{"name": left.name, "why": left.why} for left in unreached]})
    elif out is None:
        typer.echo(text, nl=False)


@app.command()
def check(
    context: typer.Context,
    mcp: Mcp = [],  # noqa: B006 - Typer's way to repeat an option
    openapi: OpenApi = [],  # noqa: B006 - Typer's way to repeat an option
    modules: Modules = False,
    strict: Annotated[bool, typer.Option(help="also complain of tools that nobody has declared")] = False,
    json_: Json = False,
) -> None:
    """Compare what sources tell now with what was confirmed. Exit code 1 if a tool changed, or a source is away."""
    settings = session_of(context).settings()
    only = _only(mcp, openapi, modules=modules)
    (seen, unreached), said = _looked(settings, only)
    complaints = [f"{left.name}: {left.why}" for left in unreached]
    complaints += report(seen, Manifests() if only else said, strict=strict)
    if only:
        complaints = list(dict.fromkeys(complaints))
    rows = [
        {"tool": tool.full, "status": tool.status.value, "name": tool.tool.name, "fingerprint": tool.fingerprint}
        for tool in seen
    ]
    if json_:
        show_json({"ok": not complaints, "items": rows, "complaints": complaints})
    else:
        show_table(rows, ("tool", "status", "name"), "no source has any tools")
        for complaint in complaints:
            say(complaint)
    raise typer.Exit(Exit.FAILED if complaints else Exit.OK)


def _write(out: Path, text: str) -> None:
    try:
        with out.open("x") as file:
            file.write(text)
    except OSError as error:
        raise AirsideError(Code.CONFLICT, f"{out} cannot be written: {error.strerror}") from None
    say(f"{out} is written; name it under tools.manifests once you have looked at every tool")


def _only(mcp: Sequence[str], openapi: Sequence[str], *, modules: bool) -> list[str]:
    return [*[f"mcp:{n}" for n in mcp], *[f"openapi:{n}" for n in openapi], *(["host"] if modules else [])]


def _looked(settings: Settings, only: Sequence[str]) -> tuple[Looked, Manifests]:
    logs.configure("error")  # what is wrong is said by the command
    said = load_manifests(settings.tools.manifests)

    async def looking() -> Looked:
        async with AsyncExitStack() as stack:
            return await look(settings, said, open_secrets(settings, SystemClock(), stack), only)

    return asyncio.run(looking()), said
