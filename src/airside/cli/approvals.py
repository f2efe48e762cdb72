"""`airside approvals`: what agents want to do and a person must agree to."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_fields, show_json, show_table
from airside.cli.session import session_of
from airside.cli.submit import pairs, task_of
from airside.core.errors import AirsideError, Code

app = group("List, show, approve (edited if need be) and deny proposed calls.")

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="id of an approval")]
Reason = Annotated[str, typer.Option(help="journaled; the agent is told it when a call is denied")]
COLUMNS = ("id", "state", "run", "agent", "tool", "because", "decide_by_us")
FIELDS = (
    "id",
    "state",
    "run",
    "agent",
    "tool",
    "arguments",
    "edited_arguments",
    "because",
    "reason",
    "decided_by",
    "requested_us",
    "decide_by_us",
    "decided_us",
    "use_by_us",
)


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="pending, approved, denied, expired, or empty for all")] = "pending",
    run: Annotated[str, typer.Option(help="only approvals of this run")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str, typer.Option(help="next_cursor of the page before")] = "",
    json_: Json = False,
) -> None:
    """List approvals, those that wait by default."""
    query: dict[str, str | int] = {"state": state, "run": run, "limit": limit, "cursor": cursor}
    with session_of(context).client() as client:
        page = client.get("/api/v1/approvals", **query)
    if json_:
        show_json(page)
        return
    rows = [_told(approval) for approval in page["items"]]
    show_table(rows, COLUMNS, "nothing waits for an approval" if state == "pending" else "no approvals")
    if any(row["state"] == "pending" for row in rows):
        say("look and decide: airside approvals show ID, then approve ID [--set NAME=VALUE], or deny ID")
    if page["next_cursor"]:
        say(f"more: airside approvals list --cursor {page['next_cursor']}")


@app.command()
def show(context: typer.Context, approval: ApprovalId, json_: Json = False) -> None:
    """Show a proposed call with its arguments and the rules that asked for a person."""
    with session_of(context).client() as client:
        _print(client.get(f"/api/v1/approvals/{approval}"), json_)


@app.command()
def approve(
    context: typer.Context,
    approval: ApprovalId,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE changes an argument; VALUE is JSON, else text")
    ] = None,
    edit: Annotated[Path | None, typer.Option(help="JSON file with all arguments, instead of those proposed")] = None,
    reason: Reason = "",
    json_: Json = False,
) -> None:
    """Let the call happen, as proposed or with changed arguments."""
    with session_of(context).client() as client:
        body: dict[str, Any] = {"decision": "approve", "reason": reason}
        if edit is not None and set_:
            raise AirsideError(Code.INVALID_REQUEST, "--set and --edit exclude each other")
        if edit is not None:
            body["arguments"] = task_of(f"@{edit}")
        elif set_:
            proposed = client.get(f"/api/v1/approvals/{approval}")["arguments"]
            body["arguments"] = proposed | {name: _value(text) for name, text in pairs(set_, "--set").items()}
        _print(client.post(f"/api/v1/approvals/{approval}/decision", body), json_)


@app.command()
def deny(context: typer.Context, approval: ApprovalId, reason: Reason = "", json_: Json = False) -> None:
    """Refuse the call; the agent is told so and goes on without it."""
    with session_of(context).client() as client:
        body = {"decision": "deny", "reason": reason}
        _print(client.post(f"/api/v1/approvals/{approval}/decision", body), json_)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _told(approval: dict[str, Any]) -> dict[str, Any]:
    """Return an approval with the rules that asked for a person, and why they do, in words."""
    reasons = approval["decision"]["reasons"]
    words = (f"{reason['rule']}: {reason['because']}".removesuffix(": ") for reason in reasons)
    return approval | {"because": "; ".join(words)}


def _print(approval: dict[str, Any], json_: bool) -> None:
    show_json(approval) if json_ else show_fields(_told(approval), FIELDS)
