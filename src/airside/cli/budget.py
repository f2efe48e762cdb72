"""`airside budget`: what may be spent, is spent and is reserved."""

from typing import Annotated, Any

import typer

from airside.cli.group import group
from airside.cli.output import Json, dollars, show_json, show_table
from airside.cli.session import session_of

app = group("Read budgets: of a run, or of the tenant, its business units and workflows.")
UNITS = ("usd", "tokens", "calls")


@app.command()
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="id of a run; without it, the nodes above all runs")] = "",
    json_: Json = False,
) -> None:
    """Show the nodes that a run is charged to, or those of the tenant, its business units and workflows."""
    with session_of(context).client() as client:
        found = client.get(f"/api/v1/runs/{run}/budget") if run else client.get("/api/v1/budgets", limit=200)
    if json_:
        show_json(found)
        return
    show_table([_row(node) for node in found["path" if run else "items"]], ("node", *UNITS), "no budgets yet")


def _row(node: dict[str, Any]) -> dict[str, str]:
    """Return a node with each unit as `spent (+reserved) of limit`."""
    row = {"node": str(node["node"])}
    for unit in UNITS:
        amounts = node[unit]
        spent, held, limit = (
            "" if amount is None else dollars(amount) if unit == "usd" else str(amount)
            for amount in (amounts["spent"], amounts["reserved"], amounts["limit"])
        )
        reserved = f" (+{held} reserved)" if float(held) else ""
        row[unit] = f"{spent}{reserved} of {limit or 'no limit'}"
    return row
