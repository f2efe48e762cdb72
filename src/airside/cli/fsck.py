"""`airside fsck`: do the tables say what the journal says, do the sums add up, does every content open?"""

import asyncio

import typer
from msgspec import structs

from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import Json, progress, say, show_json, show_table
from airside.cli.session import session_of
from airside.config.installation import database_url, master_key_file
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.journal.backend import connect
from airside.journal.fsck import Finding, Progress
from airside.journal.fsck import fsck as check
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring

app = group()


@app.command()
def fsck(context: typer.Context, json_: Json = False) -> None:
    """Check the whole database; it may be in use. Exit code 1 if anything is found."""
    settings = session_of(context).settings()
    with progress("checking the database") as shown:
        found = asyncio.run(_check(settings, lambda step: shown.update(f"checking {step}")))
    if json_:
        show_json({"ok": not found, "findings": [structs.asdict(finding) for finding in found]})
    elif found:
        show_table([structs.asdict(finding) for finding in found], ("check", "subject", "message"), "")
        say(f"{len(found)} findings")
    else:
        say("clean")
    raise typer.Exit(Exit.FAILED if found else Exit.OK)


async def _check(settings: Settings, tell: Progress) -> list[Finding]:
    url = database_url(settings)
    key_file = master_key_file(settings)
    if not key_file.exists():
        raise AirsideError(
            Code.MISCONFIGURED,
            f"there is no installation in {settings.data_dir}: {key_file} is missing",
            advice="Give the installation's file with --config, or start airside once with `airside up`.",
        )
    backend = await connect(url, settings=settings.database, executor_id=new_id("exe"))
    try:
        return await check(
            backend.database, DatabaseKeyring(backend.database, load_master_key(key_file)), progress=tell
        )
    finally:
        await backend.close()
