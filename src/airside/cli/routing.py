"""`airside routing`: say how good answers were, learn from it which model answers what, and see what it saves."""

import asyncio
from typing import Annotated, Any

import typer

from airside.cli.budget import instant_us
from airside.cli.group import group
from airside.cli.output import Json, dollars, progress, say, show_json, show_table
from airside.cli.session import session_of
from airside.composition.routing import priced_routes
from airside.config.installation import database_url, master_key_file
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.money import NanoUsd, to_decimal
from airside.gateways.models.routing.learning import fit_recorded, recorded
from airside.gateways.models.routing.models import FittedModels
from airside.gateways.models.routing.wishes import ranked
from airside.journal.backend import connect
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring

app = group("Learn from recorded outcomes which model answers what, and see what routing saves.")
Since = Annotated[str, typer.Option(help="a date, an instant (ISO 8601, UTC), or an age such as 24h, 7d, 2w")]


@app.command()
def fit(
    context: typer.Context,
    activate: Annotated[bool, typer.Option(help="put it in force at once; the one before is kept")] = True,
    tenant: Annotated[str, typer.Option(help="whose outcomes; without it the installation's own tenant")] = "",
    json_: Json = False,
) -> None:
    """Learn from recorded outcomes, on the machine of the installation: takes seconds and calls no model."""
    settings = session_of(context).settings()
    with progress("learning from recorded outcomes"):
        version, provenance = asyncio.run(_fit(settings, tenant or settings.tenant, activate=activate))
    if json_:
        show_json({"version": version, "active": activate, **provenance})
        return
    say(f"fitted version {version} from {provenance['prompts']} prompts{' and put it in force' if activate else ''}")
    rows = [
        {"floor": floor, "saved": _percent(one["saved"]), "quality kept": _percent(one["quality"])}
        for floor, one in provenance["promised"].items()
    ]
    show_table(rows, ("floor", "saved", "quality kept"), "no floor is kept but by the strongest model alone")


async def _fit(settings: Settings, tenant_id: str, *, activate: bool) -> tuple[int, dict[str, Any]]:
    key_file = master_key_file(settings)
    if not key_file.exists():
        raise AirsideError(
            Code.MISCONFIGURED,
            f"there is no installation in {settings.data_dir}: {key_file} is missing",
            advice="Give the installation's file with --config, or start airside once with `airside up`.",
        )
    routes = priced_routes(settings)
    backend = await connect(database_url(settings), settings=settings.database, executor_id=new_id("exe"))
    try:
        keyring = DatabaseKeyring(backend.database, load_master_key(key_file))
        await keyring.prove(settings.tenant)
        rows = await recorded(backend.database, keyring, tenant_id)
        fitted = fit_recorded(rows, routes, ranked(settings.routing))
        version = await FittedModels(backend.database, keyring).add(tenant_id, fitted, by="cli", activate=activate)
        return version, dict(fitted.provenance)
    finally:
        await backend.close()


@app.command()
def report(
    context: typer.Context,
    shadow: Annotated[bool, typer.Option("--shadow", help="compare shadow calls with the answers given")] = False,
    since: Since = "",
    json_: Json = False,
) -> None:
    """Tell what routing saved, how good each model's answers were found, and what a fitted classifier promises."""
    query = {"since_us": instant_us(since)} if since else {}
    with session_of(context).client() as client:
        found = client.get("/api/v1/routing/shadows" if shadow else "/api/v1/routing/report", **query)
    if json_:
        show_json(found)
    elif shadow:
        show_table([_shadow(item) for item in found["items"]], _SHADOW, "no shadow calls in this time")
    else:
        _say_report(found)


_SHADOW = ("live", "candidate", "calls", "agreement", "bounds", "live_usd", "candidate_usd")
_QUALITY = ("model", "source", "quality", "bounds", "verdicts")


def _say_report(found: dict[str, Any]) -> None:
    routed = found["routed"]
    if routed["calls"]:
        saved = "unknown" if routed["saved"] is None else _percent(routed["saved"])
        say(
            f"{routed['calls']} routed calls cost {_usd(routed['spent_nanousd'])} USD; always {routed['strongest']} "
            f"would have cost about {_usd(routed['strongest_nanousd'])} USD: {saved} saved"
        )
        say("answered by " + ", ".join(f"{model}: {count}" for model, count in sorted(routed["by_model"].items())))
        if routed["tried"]:
            say(f"{routed['tried']} were tried first, {routed['escalated']} of them escalated")
    else:
        say("no call was routed in this time")
    rows = [
        {"model": model, "source": source, **_spread(one), "verdicts": str(one["n"])}
        for model, sources in found["quality"].items()
        for source, one in sources.items()
    ]
    rows = [row | {"quality": row["agreement"]} for row in rows]
    show_table(rows, _QUALITY, "nobody has said yet how good answers were")
    fitted = found["fitted"]
    if fitted is None:
        say("nothing is fitted: models are chosen by guess (airside routing fit)")
        return
    promised = fitted["provenance"]["promised"]
    one = next((promised[floor] for floor in sorted(promised) if float(floor) >= found["floor"]), None)
    told = f"saves {_percent(one['saved'])} at {_percent(one['quality'])} of the quality" if one else "saves nothing"
    say(f"version {fitted['version']} is in force; on its own prompts it {told} (floor {found['floor']})")


@app.command()
def feedback(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="id of the run")],
    score: Annotated[float, typer.Argument(metavar="SCORE", min=0, max=1, help="1 is good, 0 is not")],
    call: Annotated[str, typer.Option(help="one call of it; without it every answer of the run")] = "",
    json_: Json = False,
) -> None:
    """Say how good the answers of a run were, or of one of its calls; needs a reviewer's key."""
    with session_of(context).client() as client:
        if call:
            found = client.post(f"/api/v1/calls/{call}/feedback", {"run": run, "score": score})
        else:
            found = client.post(f"/api/v1/runs/{run}/feedback", {"score": score})
    show_json(found) if json_ else say(f"noted for {found['answers']} answers")


@app.command("models")
def models_(context: typer.Context, json_: Json = False) -> None:
    """List the fitted classifiers, the latest first."""
    with session_of(context).client() as client:
        found = client.get("/api/v1/routing/models")
    rows = [
        {
            "version": str(item["version"]),
            "active": "yes" if item["active"] else "",
            "created_us": item["created_us"],
            "prompts": str(item["provenance"]["prompts"]),
            "models": ", ".join(item["provenance"]["models"]),
        }
        for item in found["items"]
    ]
    columns = ("version", "active", "created_us", "prompts", "models")
    show_json(found) if json_ else show_table(rows, columns, "nothing was fitted yet")


@app.command()
def activate(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=0, help="0 is none: models are chosen by guess")],
    json_: Json = False,
) -> None:
    """Put a fitted classifier in force; gateways use it within ten seconds. Needs an admin key."""
    with session_of(context).client() as client:
        found = client.post("/api/v1/routing/models/active", {"version": version})
    show_json(found) if json_ else say(f"version {found['version']} is in force" if version else "none is in force")


def _shadow(item: dict[str, Any]) -> dict[str, str]:
    money = {f"{name}_usd": _usd(item[f"{name}_nanousd"]) for name in ("live", "candidate")}
    names = {"live": item["live"], "candidate": item["candidate"], "calls": str(item["agreement"]["n"])}
    return names | _spread(item["agreement"]) | money


def _spread(one: dict[str, Any]) -> dict[str, str]:
    return {"agreement": _percent(one["mean"]), "bounds": f"{_percent(one['low'])} to {_percent(one['high'])}"}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _usd(nanousd: int) -> str:
    return dollars(f"{to_decimal(NanoUsd(nanousd)):f}")
