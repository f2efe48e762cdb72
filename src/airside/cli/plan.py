"""`airside plan`: see what runs have planned, check a plan's file, and mine one from runs that went well."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from airside.cli.group import group
from airside.cli.output import Json, progress, say, show_fields, show_json
from airside.cli.session import session_of
from airside.cli.submit import RUN_FIELDS, finish, pairs, task_of
from airside.composition.provenance import plan_file
from airside.config.installation import database_url, master_key_file
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.gateways.tools.provenance.mining import RUNS_MAX, mined, plan_of_run
from airside.journal.backend import Backend, connect
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring
from airside.policy.plans.plan import Plan, written

app = group("See what runs have planned, check plans, and mine them from runs that went well.")
Tenant = Annotated[str, typer.Option(help="without it the installation's own tenant")]


@app.command()
def submit(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="name of a configured agent")],
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="JSON; @FILE reads a file, - reads stdin")],
    principal: Annotated[list[str] | None, typer.Option(help="NAME=VALUE you are certain of: whom it is for")] = None,
    untrusted: Annotated[list[str] | None, typer.Option(help="path in INPUT that is not the user's own words")] = None,
    plan: Annotated[str, typer.Option(help="file with the run's plan, YAML or JSON")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="wait for the end and print the result")] = False,
    json_: Json = False,
) -> None:
    """Give AGENT a task as `airside submit` does, and say what is certain of it."""
    body = {
        "agent": agent,
        "input": task_of(input_),
        "principal": pairs(principal or [], "--principal"),
        "untrusted": untrusted or [],
        **({"plan": written(plan_file(Path(plan)))} if plan else {}),
    }
    with session_of(context).client() as client:
        run = client.post("/api/v1/runs", body)
        if wait:
            finish(client, run["id"], timeout_s=0, json_=json_)
        show_json(run) if json_ else show_fields(run, RUN_FIELDS)


@app.command()
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="id of a run")],
    tenant: Tenant = "",
    json_: Json = False,
) -> None:
    """Print the plan that a run has committed itself to, on the machine of the installation."""
    settings = session_of(context).settings()
    plan = asyncio.run(
        _with(settings, lambda backend, keyring: plan_of_run(backend.database, keyring, tenant or settings.tenant, run))
    )
    if plan is None:
        raise AirsideError(Code.NOT_FOUND, f"the run {run} has no plan of its own")
    _print(plan, json_=json_)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a plan, YAML or JSON")], json_: Json = False
) -> None:
    """Say whether a file is a plan that runs and agents can be given."""
    plan = plan_file(file)
    kind = (
        "closed: what it does not name is outside" if plan.closed else "open: of what it does not name it says nothing"
    )
    show_json(written(plan)) if json_ else say(f"{file} is a plan of {len(plan.steps)} steps, {kind}")


@app.command()
def mine(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="name of an agent")],
    output: Annotated[str, typer.Option("--output", "-o", help="file to write; without it the plan is printed")] = "",
    runs: Annotated[int, typer.Option(min=1, max=RUNS_MAX, help="how many of its latest runs are looked at")] = 200,
    tenant: Tenant = "",
    json_: Json = False,
) -> None:
    """Learn from an agent's succeeded runs what it usually does, as a plan for a person to review."""
    settings = session_of(context).settings()
    with progress("reading the journal"):
        plan, count = asyncio.run(
            _with(
                settings,
                lambda backend, keyring: mined(backend.database, keyring, tenant or settings.tenant, agent, runs),
            )
        )
    if not count:
        raise AirsideError(Code.NOT_FOUND, f"the agent {agent} has no succeeded runs with effects")
    if output:
        Path(output).write_text(_text(plan, f"Mined from {count} runs of {agent}. Review it before it is used."))
        say(f"wrote {output}: {len(plan.steps)} steps from {count} runs; give it as agents.{agent}.plan once reviewed")
        return
    _print(plan, json_=json_)


async def _with(settings: Settings, work: Any) -> Any:
    key_file = master_key_file(settings)
    if not key_file.exists():
        raise AirsideError(
            Code.MISCONFIGURED,
            f"there is no installation in {settings.data_dir}: {key_file} is missing",
            advice="Give the installation's file with --config, or start airside once with `airside up`.",
        )
    backend: Backend = await connect(database_url(settings), settings=settings.database, executor_id=new_id("exe"))
    try:
        return await work(backend, DatabaseKeyring(backend.database, load_master_key(key_file)))
    finally:
        await backend.close()


def _print(plan: Plan, *, json_: bool) -> None:
    show_json(written(plan)) if json_ else say(_text(plan, "").rstrip())


def _text(plan: Plan, note: str) -> str:
    body = yaml.safe_dump(json.loads(json.dumps(written(plan))), sort_keys=False, allow_unicode=True, width=120)
    return f"# {note}\n{body}" if note else body
