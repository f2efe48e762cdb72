"""`airside keys`: API keys for people and programs."""

from typing import Annotated

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.core.run import Role

app = group("Make, list and revoke API keys; needs an admin key.")


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="whose it is or what for")],
    role: Annotated[Role, typer.Option(help="what it may do")] = Role.VIEWER,
    json_: Json = False,
) -> None:
    """Make a key and print it once: viewer < reviewer < operator < admin; agent opens the gateways only."""
    with session_of(context).client() as client:
        made = client.post("/api/v1/keys", {"name": name, "role": role.value})
    if json_:
        show_json(made)
        return
    typer.echo(made["secret"])
    say(f"{made['id']} ({made['role']}). This is shown once and stored nowhere in clear.")


@app.command("list")
def list_(context: typer.Context, json_: Json = False) -> None:
    """List keys, revoked ones too, without their secrets."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/keys")
    columns = ("id", "name", "role", "created_us", "revoked_us")
    show_json(found) if json_ else show_table(found["items"], columns, "no keys")


@app.command()
def revoke(
    context: typer.Context, key: Annotated[str, typer.Argument(metavar="KEY", help="id of a key")], json_: Json = False
) -> None:
    """Revoke a key at once."""
    with session_of(context).client() as client:
        found = client.delete(f"/api/v1/keys/{key}")
    show_json(found) if json_ else say(f"revoked {key}")
