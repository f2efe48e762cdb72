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
COLUMNS = ("id", "state", "risk", "run", "agent", "tool", "because", "decide_by_us")
STATS = ("of", "name", "asked", "approved", "edited", "denied", "expired", "rejection_rate", "decide_s_p50")
CONFIDENCE = ("agent", "tool", "samples", "samples_min", "calibrated", "brier", "ece", "curve")
FIELDS = (
    "id",
    "state",
    "run",
    "agent",
    "tool",
    "arguments",
    "edited_arguments",
    "because",
    "provenance",
    "risk",
    "risk_factors",
    "band",
    "confidence",
    "calibrated",
    "required",
    "votes",
    "endorsed",
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
    tool: Annotated[str, typer.Option(help="only calls of this tool")] = "",
    order: Annotated[str, typer.Option(help="newest, or risk: what matters first in front")] = "newest",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str, typer.Option(help="next_cursor of the page before")] = "",
    json_: Json = False,
) -> None:
    """List approvals, those that wait by default."""
    query: dict[str, str | int] = {"state": state, "run": run, "limit": limit, "cursor": cursor}
    query |= {"tool": tool, "order": order}
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


@app.command()
def evidence(context: typer.Context, approval: ApprovalId, json_: Json = False) -> None:
    """Show what led to a proposal: the task, the model's reasoning, and what the run did and read before."""
    with session_of(context).client() as client:
        found = client.get(f"/api/v1/approvals/{approval}/evidence")
    if json_:
        show_json(found)
        return
    show_fields(found, ("id", "task", "reasoning"))
    show_table(found["calls"], ("at_us", "tool", "state", "arguments", "result"), "the run had called no tool before")


@app.command()
def endorse(context: typer.Context, approval: ApprovalId, argument: str, json_: Json = False) -> None:
    """Vouch for the value of an ARGUMENT (such as to, or lines.0.account) in every call of this run."""
    with session_of(context).client() as client:
        found = client.post(f"/api/v1/approvals/{approval}/endorsements", {"argument": argument})
    show_json(found) if json_ else show_table(found["items"], ("argument", "reviewer", "at_us"), "nothing is endorsed")


@app.command()
def comment(context: typer.Context, approval: ApprovalId, text: str = "", json_: Json = False) -> None:
    """Add a comment (--text) for other reviewers, or list the comments; the agent never sees them."""
    where = f"/api/v1/approvals/{approval}/comments"
    with session_of(context).client() as client:
        if text:
            client.post(where, {"text": text})
        found = client.get(where)
    show_json(found) if json_ else show_table(found["items"], ("at_us", "reviewer", "text"), "no comments")


@app.command()
def stats(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="how many days back")] = 30,
    json_: Json = False,
) -> None:
    """Show how often calls are approved, by tool, agent and reviewer, and who notices known-bad proposals."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/approvals/statistics", days=days)
    if json_:
        show_json(found)
        return
    rows = [{"of": of, **row} for of in ("tool", "agent", "reviewer") for row in found[f"by_{of}"]]
    show_table(rows, STATS, "no approvals were asked for")
    if found["seeded"]:
        show_table(found["seeded"], ("reviewer", "shown", "caught", "catch_rate"), "")


@app.command()
def confidence(context: typer.Context, agent: str, tool: str, json_: Json = False) -> None:
    """Show what an agent's confidence in a tool's calls has been worth: a reliability diagram."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/approvals/confidence", agent=agent, tool=tool)
    if json_:
        show_json(found)
        return
    show_fields(found | {"brier": found["said"]["brier"], "ece": found["said"]["ece"]}, CONFIDENCE)
    bins = [row for row in found["said"]["bins"] if row["samples"]]
    show_table(bins, ("from", "to", "samples", "said", "good"), "nothing was decided on with a confidence")


@app.command()
def export(
    context: typer.Context,
    cursor: Annotated[str, typer.Option(help="begin after this place")] = "",
    json_: Json = False,
) -> None:
    """Print what was denied or changed as cases for evaluation, one JSON line each (with or without --json)."""
    del json_  # lines of JSON are what this prints
    with session_of(context).client() as client:
        while True:
            page = client.get("/api/v1/approvals/export", limit=200, cursor=cursor)
            for case in page["items"]:
                show_json(case)
            cursor = page["next_cursor"] or ""
            if not cursor:
                return


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _told(approval: dict[str, Any]) -> dict[str, Any]:
    """Return an approval with the rules that asked for a person, and why they do, in words."""
    reasons = approval["decision"]["reasons"]
    words = (f"{reason['rule']}: {reason['because']}".removesuffix(": ") for reason in reasons)
    links = [f"{link['argument']}: {link['origin']}" for link in approval["decision"].get("links", ())]
    return approval | {"because": "; ".join(words), "provenance": ", ".join(links)}


def _print(approval: dict[str, Any], json_: bool) -> None:
    show_json(approval) if json_ else show_fields(_told(approval), FIELDS)
