"""`airside batch`: hand many questions to a provider at once, for less, answered within a day."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_json
from airside.cli.session import session_of
from airside.core.errors import AirsideError, Code

app = group("Hand many questions to a provider at once, for less, answered within a day.")
BatchId = Annotated[str, typer.Argument(metavar="BATCH")]


@app.command()
def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="one Chat Completions request per line")],
    model: Annotated[str, typer.Option(help="the model of all requests")],
    label: Annotated[str, typer.Option(help="the agent that its run and its costs are listed under")] = "batch",
    key: Annotated[str, typer.Option(help="idempotency key: the same file under it is handed in once")] = "",
    json_: Json = False,
) -> None:
    """Reserve the worst case of every request, hand them in, and print the batch's id."""
    body = {"model": model, "requests": _read(file), "label": label}
    with session_of(context).client() as client:
        batch = client.post("/api/v1/batches", body, headers={"idempotency-key": key} if key else None)
    _show(batch, json_=json_)


@app.command()
def show(context: typer.Context, batch: BatchId, json_: Json = False) -> None:
    """Show how a batch stands."""
    with session_of(context).client() as client:
        _show(client.get(f"/api/v1/batches/{batch}"), json_=json_)


@app.command()
def results(context: typer.Context, batch: BatchId, json_: Json = False) -> None:
    """Print a line of JSON per request, in their order; with --json all in one list."""
    with session_of(context).client() as client:
        lines = client.text(f"/api/v1/batches/{batch}/results")
    if json_:
        show_json([json.loads(line) for line in lines.splitlines()])
        return
    typer.echo(lines, nl=False)


@app.command()
def cancel(context: typer.Context, batch: BatchId, json_: Json = False) -> None:
    """Call a batch off; what the provider has answered by then is charged."""
    with session_of(context).client() as client:
        _show(client.post(f"/api/v1/batches/{batch}/cancel"), json_=json_)


def _read(file: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise AirsideError(Code.INVALID_REQUEST, f"{file} has no requests, one per line: {error}") from None


def _show(batch: dict[str, Any], *, json_: bool) -> None:
    if json_:
        show_json(batch)
        return
    calls = ", ".join(f"{count} {state}" for state, count in sorted(batch["calls"].items())) or "none yet"
    say(f"{batch['id']} {batch['state']} {batch['code']}".rstrip())
    say(f"run {batch['run_id']}; {batch['items']} requests to {batch['provider']}/{batch['model']}; calls: {calls}")
