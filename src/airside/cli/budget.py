"""`airside budget`: what may be spent, is spent and is reserved; limits, credits, and what runs have cost."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from airside.cli.group import group
from airside.cli.output import Json, dollars, say, show_json, show_table
from airside.cli.session import session_of
from airside.core.errors import AirsideError, Code
from airside.runs.costs import By

app = group("Read and set budgets: of runs, of the tenant, its business units, workflows and customers.")
UNITS = ("usd", "tokens", "calls")
AGES = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="tenant, unit:NAME, workflow:NAME or customer:NAME; or the tenant's id")
]


@app.command()
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="id of a run; without it, the nodes above all runs")] = "",
    json_: Json = False,
) -> None:
    """Show the nodes that a run is charged to, or those of the tenant, its business units, workflows and customers."""
    with session_of(context).client() as client:
        found = client.get(f"/api/v1/runs/{run}/budget") if run else client.get("/api/v1/budgets", limit=200)
    if json_:
        show_json(found)
        return
    show_table([_row(node) for node in found["path" if run else "items"]], ("node", *UNITS), "no budgets yet")


@app.command()
def limits(context: typer.Context, json_: Json = False) -> None:
    """List the limits that people have set instead of those of the settings."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/budgets/limits")
    columns = ("scope", *UNITS, "period", "carry_over", "set_by", "set_us")
    show_json(found) if json_ else show_table(found["items"], columns, "no limits are set beside the settings")


@app.command()
def limit(
    context: typer.Context,
    name: Name,
    usd: Annotated[str, typer.Option(help="dollars; without it no limit")] = "",
    tokens: Annotated[int | None, typer.Option(min=0, help="tokens; without it no limit")] = None,
    calls: Annotated[int | None, typer.Option(min=0, help="calls; without it no limit")] = None,
    period: Annotated[str, typer.Option(help="none, hour, day or month")] = "none",
    carry_over: Annotated[
        bool, typer.Option("--carry-over", help="dollars that are left are added to the next period, once")
    ] = False,
    json_: Json = False,
) -> None:
    """Set what a budget may spend, from the next call on; needs an admin key."""
    body = {"name": name, "usd": usd or None, "tokens": tokens, "calls": calls}
    with session_of(context).client() as client:
        more = {"period": period, "carry_over": carry_over}
        found = client.request("PUT", "/api/v1/budgets/limits", body=body | more)
    show_json(found) if json_ else _say_limits(found)


@app.command()
def clear(context: typer.Context, name: Name, json_: Json = False) -> None:
    """Go back to the limits that the settings give a budget; needs an admin key."""
    with session_of(context).client() as client:
        found = client.delete("/api/v1/budgets/limits", name=name)
    show_json(found) if json_ else _say_limits(found)


def _say_limits(found: dict[str, Any]) -> None:
    told = [f"{dollars(found['usd'])} USD" if found["usd"] is not None else ""]
    told += [f"{found[unit]} {unit}" for unit in ("tokens", "calls") if found[unit] is not None]
    say(f"{found['node']} may spend {', '.join(filter(None, told)) or 'without limit'}")


@app.command()
def credit(
    context: typer.Context,
    name: Name,
    usd: Annotated[str, typer.Option(help="dollars to add to the limit of the present period")],
    note: Annotated[str, typer.Option(help="why; kept with the credit")] = "",
    key: Annotated[str, typer.Option(help="the same key gives once, however often it is sent")] = "",
    json_: Json = False,
) -> None:
    """Add dollars to what a budget may spend now; needs an admin key."""
    headers = {"idempotency-key": key} if key else None
    with session_of(context).client() as client:
        found = client.post("/api/v1/budgets/credits", {"name": name, "usd": usd, "note": note}, headers=headers)
    show_json(found) if json_ else say(f"added {dollars(found['usd'])} USD to {found['node']}")


@app.command("credits")
def credits_(context: typer.Context, name: Name, json_: Json = False) -> None:
    """List what was added to a budget, the latest first."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/budgets/credits", name=name, limit=200)
    columns = ("given_us", "node", "usd", "note", "given_by")
    show_json(found) if json_ else show_table(found["items"], columns, "nothing was added")


@app.command()
def report(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="what tells costs apart")] = By.TENANT,
    since: Annotated[str, typer.Option(help="a date, an instant (ISO 8601, UTC), or an age such as 24h, 7d, 2w")] = "",
    until: Annotated[str, typer.Option(help="likewise; without it, now")] = "",
    count: Annotated[int, typer.Option(min=1, max=200, help="how many, the dearest first")] = 50,
    json_: Json = False,
) -> None:
    """Tell what runs submitted in a window have cost, with mean and 95th percentile of tokens and dollars a run."""
    query: dict[str, str | int] = {"by": by.value, "limit": count}
    query |= {f"{name}_us": instant_us(text) for name, text in (("since", since), ("until", until)) if text}
    with session_of(context).client() as client:
        found = client.get("/api/v1/costs", **query)
    if json_:
        show_json(found)
        return
    counts = ("runs", "calls", "tokens", "run_mean_tokens", "run_p95_tokens")
    rows = [row | {by.value: row["item"]} | {name: str(row[name]) for name in counts} for row in found["items"]]
    columns = ("cost_usd", "run_mean_usd", "run_p95_usd")
    show_table(rows, (by.value, "runs", "calls", *columns, *counts[2:]), "no runs in this window")


@app.command()
def tokens(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="name of an agent")],
    since: Annotated[str, typer.Option(help="a date, an instant (ISO 8601, UTC), or an age such as 24h, 7d, 2w")] = "",
    json_: Json = False,
) -> None:
    """Tell where the tokens of an agent's latest runs went, and what would save some."""
    more = {"since_us": instant_us(since)} if since else {}
    with session_of(context).client() as client:
        found = client.get("/api/v1/costs/tokens", agent=agent, **more)
    if json_:
        show_json(found)
        return
    rows = [
        {"input": row["kind"], "share": f"{row['share']:.0%}", "tokens": str(row["tokens"])}
        for row in found["input_by_kind"]
    ]
    show_table(rows if found["calls"] else [], ("input", "share", "tokens"), "no model calls yet")
    structured = found["json_answers"]
    say(f"{found['input_tokens']} tokens in and {found['output_tokens']} out, in {found['calls']} calls")
    repeated, cached = found["repeated_prefix_share"], found["cached_share"]
    say(f"repeated from the call before: {repeated:.0%}; read from a cache: {cached:.0%}")
    if structured["bytes"]:
        shares = (structured["whitespace_share"], structured["keys_share"])
        say(f"structured answers: {shares[0]:.0%} white space, {shares[1]:.0%} names of fields")
    for advice in found["advice"]:
        say(advice)


def instant_us(text: str) -> int:
    """Return the instant that a person names, in microseconds; raises `invalid_request`."""
    age = re.fullmatch(r"(\d{1,6})([hdw])", text)
    try:
        then = datetime.now(UTC) - int(age[1]) * AGES[age[2]] if age else datetime.fromisoformat(text)
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        return max(0, int(then.timestamp() * 1_000_000))
    except (ValueError, OverflowError):
        message = f"{text[:50]!r} is no date, instant or age such as 24h"
        raise AirsideError(Code.INVALID_REQUEST, message) from None


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
