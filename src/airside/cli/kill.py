"""`airside kill`: stop a run, an agent, a tool, the tenant or everything, at once."""

from typing import Annotated

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.runs.kills import Scope

app = group()


@app.command()
def kill(
    context: typer.Context,
    scope: Annotated[
        Scope | None,
        typer.Argument(
            metavar="[SCOPE]",
            help="run, agent, tool, tenant or all; without it, the kills in force are listed",
        ),
    ] = None,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="of the run, agent or tool; none for tenant and all")
    ] = "",
    reason: Annotated[str, typer.Option(help="shown to whoever meets the kill")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="lift the kill; needs an admin key")] = False,
    json_: Json = False,
) -> None:
    """Stop it: no call starts a second later, and what executes ends within five."""
    with session_of(context).client() as client:
        if scope is None:
            found = client.get("/api/v1/kills")
            columns = ("scope", "name", "reason", "set_by", "set_us")
            show_json(found) if json_ else show_table(found["items"], columns, "no kill is in force")
            return
        if lift:
            found = client.delete("/api/v1/kills", scope=scope.value, name=name)
        else:
            found = client.post("/api/v1/kills", {"scope": scope.value, "name": name, "reason": reason})
    what = f"{scope} {name}".rstrip()
    if json_:
        show_json(found)
    elif lift:
        say(f"lifted the kill of {what}; runs that it ended stay ended")
    else:
        say(f"killed {what}; {found['runs_ended']} runs end. Undo with: airside kill {what} --lift")
