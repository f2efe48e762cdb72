"""`airside breakers`: what is switched off because it fails, and switching it off or on by hand."""

from typing import Annotated

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.core.errors import AirsideError, Code

app = group()


@app.command()
def breakers(
    context: typer.Context,
    open_: Annotated[
        str, typer.Option("--open", metavar="KEY", help="hold it open: provider:NAME, model:PROVIDER/NAME, tool:NAME")
    ] = "",
    close: Annotated[str, typer.Option("--close", metavar="KEY", help="close it and forget its failures")] = "",
    json_: Json = False,
) -> None:
    """List the breakers that have ever opened, or switch one by hand."""
    if open_ and close:
        raise AirsideError(Code.INVALID_REQUEST, "give --open or --close, not both")
    with session_of(context).client() as client:
        if not open_ and not close:
            found = client.get("/api/v1/breakers")
            columns = ("key", "state", "forced", "reason", "trips", "opened_us", "closed_us")
            show_json(found) if json_ else show_table(found["items"], columns, "no breaker has ever opened")
            return
        state = "open" if open_ else "closed"
        found = client.post("/api/v1/breakers", {"key": open_ or close, "state": state})
    if json_:
        show_json(found)
    elif open_:
        say(f"{open_} is held open: calls to it are refused. Undo with: airside breakers --close {open_}")
    else:
        say(f"{close} is closed; what failed before is forgotten")
