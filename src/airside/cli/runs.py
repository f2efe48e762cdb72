"""`airside runs`: look at runs, follow, cancel and move them, say what became of a held call."""

from enum import StrEnum
from typing import Annotated

import typer

from airside.cli.group import group
from airside.cli.output import Json, cell, say, show_fields, show_json, show_table
from airside.cli.session import session_of
from airside.cli.submit import RUN_FIELDS, finish, task_of
from airside.core.run import RunState

app = group("Look at runs, follow them, cancel them, resolve held ones.")


class Finding(StrEnum):
    """What a person found about a held call."""

    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"
    GIVE_UP = "give_up"


RunId = Annotated[str, typer.Argument(metavar="RUN", help="id of a run")]
CALL_COLUMNS = ("id", "kind", "name", "state", "attempt", "cost_usd", "tokens", "code", "opened_us")


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[RunState | None, typer.Option(help="only runs in this state")] = None,
    agent: Annotated[str, typer.Option(help="only runs of this agent")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="runs on the page")] = 50,
    cursor: Annotated[str, typer.Option(help="next_cursor of the page before")] = "",
    json_: Json = False,
) -> None:
    """List runs, newest first."""
    query: dict[str, str | int] = {"limit": limit, "agent": agent, "cursor": cursor}
    if state:
        query["state"] = state.value
    with session_of(context).client() as client:
        page = client.get("/api/v1/runs", **query)
    if json_:
        show_json(page)
        return
    show_table(page["items"], ("id", "agent", "state", "attempt", "code", "created_us"), "no runs")
    if page["next_cursor"]:
        say(f"more: airside runs list --cursor {page['next_cursor']}")


@app.command()
def show(context: typer.Context, run: RunId, json_: Json = False) -> None:
    """Show a run, its result and its calls."""
    with session_of(context).client() as client:
        found = client.get(f"/api/v1/runs/{run}")
        calls = client.get(f"/api/v1/runs/{run}/calls", limit=200)
        ended = found["ended_us"] is not None
        result = client.get(f"/api/v1/runs/{run}/result")["result"] if ended else None
    if json_:
        show_json(found | {"calls": calls["items"], "more_calls": calls["next_cursor"] is not None, "result": result})
        return
    budget = found["budget"]
    spent = {"cost_usd": budget["usd"]["spent"], "calls": budget["calls"]["spent"]} if budget else {}
    show_fields(found | spent | {"result": result}, (*RUN_FIELDS, "calls", "cost_usd", "result"))
    show_table(calls["items"], CALL_COLUMNS, "no calls")


@app.command()
def cancel(context: typer.Context, run: RunId, json_: Json = False) -> None:
    """Cancel a run; one that is executing ends within seconds."""
    with session_of(context).client() as client:
        found = client.post(f"/api/v1/runs/{run}/cancel")
    show_json(found) if json_ else show_fields(found, RUN_FIELDS)


@app.command()
def move(
    context: typer.Context,
    run: RunId,
    to: Annotated[str, typer.Option(metavar="RELEASE", help="by default the release that new runs get")] = "",
    json_: Json = False,
) -> None:
    """Bind a queued or parked run to another release of its agent."""
    with session_of(context).client() as client:
        found = client.post(f"/api/v1/runs/{run}/move", {"release": to})
    show_json(found) if json_ else show_fields(found, RUN_FIELDS)


@app.command()
def wait(
    context: typer.Context,
    run: RunId,
    timeout: Annotated[float, typer.Option(min=0, help="seconds; 0 is forever")] = 0,
    json_: Json = False,
) -> None:
    """Wait for the end of a run and print its result."""
    with session_of(context).client() as client:
        finish(client, run, timeout_s=timeout, json_=json_)


@app.command()
def events(context: typer.Context, run: RunId, json_: Json = False) -> None:
    """Follow a run's transitions until it has ended."""
    with session_of(context).client() as client:
        for event in client.follow(run, float("inf")):
            if json_:
                show_json(event)
            else:
                why = f" ({event['code']})" if event["code"] else ""
                typer.echo(f"{cell('at_us', event['at_us'])} {event['version']} {event['state']}{why}")


@app.command()
def held(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=200, help="calls on the page")] = 50,
    cursor: Annotated[str, typer.Option(help="next_cursor of the page before")] = "",
    json_: Json = False,
) -> None:
    """List the calls of which nobody knows whether they happened, the longest wait first; then `resolve` their runs."""
    with session_of(context).client() as client:
        page = client.get("/api/v1/held", limit=limit, cursor=cursor)
    if json_:
        show_json(page)
        return
    show_table(page["items"], ("run_id", "call_id", "agent", "tool", "attempt", "opened_us"), "nothing is held")
    if page["next_cursor"]:
        say(f"more: airside runs held --cursor {page['next_cursor']}")


@app.command()
def resolve(
    context: typer.Context,
    run: RunId,
    finding: Annotated[
        Finding,
        typer.Argument(metavar="FINDING", help="what you found in the other system: happened, not_happened or give_up"),
    ],
    call: Annotated[str, typer.Option(help="id of one held call; without it, all of the run")] = "",
    result: Annotated[str, typer.Option(help="JSON that the tool would have answered, if it happened")] = "null",
    json_: Json = False,
) -> None:
    """Say what became of side effects whose outcome is unknown; the held run then goes on, or is given up."""
    body = {"finding": finding.value, "call_id": call, "result": task_of(result)}
    with session_of(context).client() as client:
        found = client.post(f"/api/v1/runs/{run}/resolve", body)
    show_json(found) if json_ else show_fields(found, RUN_FIELDS)
