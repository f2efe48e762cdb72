"""`airside submit`: give an agent a task, and wait for its end if asked to."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.client import Client
from airside.cli.exits import of_state
from airside.cli.group import group
from airside.cli.output import Json, dollars, progress, say, show_fields, show_json
from airside.cli.session import session_of
from airside.core import canonical
from airside.core.errors import AirsideError, Code

app = group()

INPUT_BYTES_MAX = 1_073_741_824
RUN_FIELDS = ("id", "agent", "state", "code", "message", "attempt", "running_us", "created_us", "ended_us", "labels")
STANDING = {
    "waiting_approval": "waits for an approval: {cli} approvals list",
    "held": "is held, an outcome is unknown: see {cli} runs show, then {cli} runs resolve",
    "parked": "is parked until a dependency is back",
}


@app.command()
def submit(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="name of a configured agent")],
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="JSON; @FILE reads a file, - reads stdin")],
    wait: Annotated[bool, typer.Option("--wait", help="wait for the end and print the result")] = False,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be given several times")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="lower goes first")] = 0,
    idempotency_key: Annotated[str, typer.Option(help="the same key makes the same run, within 24 hours")] = "",
    json_: Json = False,
) -> None:
    """Give AGENT a task. Answers at once with the run's id, or with --wait when the run has ended."""
    body = {
        "agent": agent,
        "input": task_of(input_),
        "labels": pairs(label or [], "--label"),
        "priority": priority,
    }
    headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
    with session_of(context).client() as client:
        run = client.post("/api/v1/runs", body, headers=headers)
        if not wait:
            show_json(run) if json_ else show_fields(run, RUN_FIELDS)
            return
        finish(client, run["id"], timeout_s=0, json_=json_)


def finish(client: Client, run_id: str, *, timeout_s: float, json_: bool) -> None:
    """Wait for a run, print what came of it, and exit with the code that follows from its state."""
    run = wait_for_end(client, run_id, timeout_s)
    outcome = client.get(f"/api/v1/runs/{run_id}/result") if run["ended_us"] is not None else {"result": None}
    run |= {"result": outcome["result"]}
    if json_:
        show_json(run)
    else:
        show_result(run)
    raise typer.Exit(of_state(run["state"]))


def wait_for_end(client: Client, run_id: str, timeout_s: float) -> Any:
    """Return the run once it has ended, or as it stands after `timeout_s` seconds (0: however long it takes)."""
    deadline = time.monotonic() + timeout_s if timeout_s else float("inf")
    with progress(f"{run_id} is queued") as shown:
        for event in client.follow(run_id, deadline):
            state = event["state"]
            shown.update(f"{run_id} {standing(state)}")
    return client.get(f"/api/v1/runs/{run_id}")


def standing(state: str, cli: str = "airside") -> str:
    """Return how a run stands, and the command that helps if it is a person's turn."""
    return STANDING[state].format(cli=cli) if state in STANDING else state.replace("_", " ")


def show_result(run: Any) -> None:
    """Print a result on stdout, and on stderr how the run ended and what it cost."""
    if run["result"] is not None:
        result = run["result"]
        sys.stdout.write(
            (result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False)) + "\n"
        )
        sys.stdout.flush()
    budget = run.get("budget")
    cost = f", {budget['calls']['spent']} calls, ${dollars(budget['usd']['spent'])}" if budget else ""
    why = f" ({run['code']}: {run['message']})" if run["code"] else ""
    say(f"{run['id']} {run['state']}{why}{cost}")


def task_of(given: str) -> Any:
    """Return the task that an INPUT argument stands for. Raises AirsideError `invalid_request`."""
    if given == "-":
        content = sys.stdin.buffer.read(INPUT_BYTES_MAX)
    elif given.startswith("@"):
        try:
            content = Path(given[1:]).read_bytes()
        except OSError as error:
            raise AirsideError(Code.INVALID_REQUEST, f"INPUT: {given[1:]}: {error.strerror}") from None
    else:
        content = given.encode()
    try:
        return canonical.parse(content, bytes_max=INPUT_BYTES_MAX)
    except AirsideError:
        raise AirsideError(
            Code.INVALID_REQUEST, "INPUT is not JSON", advice="Write '\"text\"' with both kinds of quotes."
        ) from None


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return NAME=VALUE options as a dict. Raises AirsideError `invalid_request` for anything else."""
    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise AirsideError(Code.INVALID_REQUEST, f"{option} takes NAME=VALUE, not {item!r}")
        found[name] = value
    return found
