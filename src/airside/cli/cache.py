"""`airside cache`: what the caches hold and save, why an answer would be given again, and clearing them."""

from typing import Annotated, Any

import typer

from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.config.cache import SemanticSettings
from airside.core.errors import AirsideError
from airside.gateways.models.caching.question import read
from airside.gateways.models.caching.verifier import vetoes
from airside.gateways.models.embedding.local import LocalEmbedder
from airside.gateways.models.embedding.port import cosine

app = group("See what caches save and why an answer would be given again; clear them.")
Agent = Annotated[str, typer.Option(help="only of this agent")]


@app.command()
def stats(
    context: typer.Context,
    agent: Agent = "",
    days: Annotated[int, typer.Option(min=1, max=3_650, help="how many days, today included")] = 30,
    json_: Json = False,
) -> None:
    """Show what the caches hold, what they saved, and how often compared answers differed."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/cache", agent=agent, days=days)
    if json_:
        show_json(found)
        return
    show_table(found["saved"], ("kind", "hits", "tokens", "usd", "compared", "wrong"), "nothing was saved yet")
    say(f"{found['entries']} answers are kept, {found['bytes']} bytes")
    for one in found["learned"]:
        say(f"learned with {one['embedder']}: {one['observations']} comparisons, {one['wrong']} of them wrong")


@app.command()
def explain(
    kept: Annotated[str, typer.Argument(metavar="KEPT", help="a question whose answer is kept")],
    asked: Annotated[str, typer.Argument(metavar="ASKED", help="a question that is asked")],
    json_: Json = False,
) -> None:
    """Show whether the answer to one question may serve another, before anything is learned; asks no server."""
    told = _explained(kept, asked)
    if json_:
        show_json(told)
        return
    show_table(told["vetoes"], ("kind", "kept", "asked"), "no difference was found")
    similarity = told["similarity"]
    say(f"similarity {similarity if similarity is not None else 'unknown: ' + told['why']}")
    say(f"threshold  {told['threshold']} (D17; learned thresholds differ by entry)")
    say(f"decision   {told['decision']}")


@app.command()
def clear(
    context: typer.Context,
    agent: Agent = "",
    subject: Annotated[str, typer.Option(help="only what came from, or belongs to, this subject")] = "",
    learned: Annotated[bool, typer.Option("--learned", help="also what similarity has been found to mean")] = False,
    json_: Json = False,
) -> None:
    """Forget remembered answers; takes effect everywhere within cache.front_s."""
    with session_of(context).client() as client:
        found = client.delete("/api/v1/cache", agent=agent, subject=subject, learned=str(learned).lower())
    show_json(found) if json_ else say(f"{found['entries']} answers are forgotten")


@app.command()
def tools(context: typer.Context, json_: Json = False) -> None:
    """Show what is kept of each tool's results, and how often it has served."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/cache/tools")
    if json_:
        show_json(found)
        return
    show_table(found["items"], ("tool", "entries", "bytes", "hits"), "no results of tools are kept")


@app.command()
def forget(
    context: typer.Context,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="the tool whose results are stale")],
    json_: Json = False,
) -> None:
    """Forget a tool's results, because what it reads has changed."""
    with session_of(context).client() as client:
        found = client.delete("/api/v1/cache/tools", tool=tool)
    show_json(found) if json_ else say(f"{found['entries']} results of {tool} are forgotten")


def _explained(kept: str, asked: str) -> dict[str, Any]:
    left, right = read(kept), read(asked)
    against = [{"kind": veto.kind, "kept": veto.left, "asked": veto.right} for veto in vetoes(left, right)]
    threshold = SemanticSettings().similarity
    similarity, why = _similarity(left.core, right.core)
    decision = "served"
    if against:
        decision = "vetoed"
    elif similarity is None:
        decision = "unknown"
    elif similarity < threshold:
        decision = "below threshold"
    return {
        "compared": [left.core, right.core],
        "similarity": similarity,
        "why": why,
        "threshold": threshold,
        "vetoes": against,
        "decision": decision,
    }


def _similarity(left: str, right: str) -> tuple[float | None, str]:
    """Return the cosine by the local model, or why there is none."""

    try:
        mine, theirs = LocalEmbedder().vectors([left, right])
    except AirsideError as error:
        return None, f"{error.message}. {error.advice}"
    found = None if mine is None or theirs is None else round(cosine(mine, theirs), 4)
    return found, "" if found is not None else "a question is too long or cannot be read"
