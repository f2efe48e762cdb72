"""`airside run -- CMD`: govern any program that finds its model by a base URL and a key in its environment.

An airside of its own is started on the installation's data, on a free port, for as long as the program runs. The
program is a supervised run: it is executed in its isolation with a run token, may wait for approvals, and is executed
again after a crash, with its recorded calls replayed.
"""

import asyncio
import json
import shlex
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from airside.cli.exits import of_state
from airside.cli.group import group
from airside.cli.output import Json, Progress, dollars, progress, say, show_json
from airside.cli.serve import local_key
from airside.cli.session import session_of
from airside.cli.submit import show_result, standing
from airside.config.settings import AgentSettings, Settings
from airside.core.errors import AirsideError, Code
from airside.plane import Plane, Role
from airside.runs.submission import Submission
from airside.server import logs
from airside.server.readings import Readings
from airside.server.serve import forbid_dumps, serving

app = group()

DEFAULT_NAME = "command"


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD [ARG]...", help="the program and its arguments")],
    agent: Annotated[str, typer.Option(help="a configured agent, for its tools, budget and isolation")] = "",
    json_: Json = False,
) -> None:
    """Run a program with every model call and every tool call governed; then show its result, calls and cost.

    The exit code follows the run: 0 succeeded, 1 failed, 8 waits for a person, 9 stopped by its budget.
    """
    session = session_of(context)
    settings = governed(session.settings(), agent, command)
    cli = f"airside --config {shlex.quote(str(session.config))}" if session.config else "airside"
    logs.configure("warning" if settings.log_level == "info" else settings.log_level)
    with (
        progress(f"starting {command[0]}") as shown,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(_govern(settings, agent or DEFAULT_NAME, shown, cli))
    if json_:
        show_json(found)
    else:
        show_result(found)
        _say_calls(found["calls"])
    raise typer.Exit(of_state(found["state"]))


def governed(settings: Settings, name: str, command: list[str]) -> Settings:
    """Return settings in which the program is an agent, served on a free port of its own."""
    if name and name not in settings.agents:
        raise AirsideError(Code.UNKNOWN_AGENT, f"no agent is called {name!r}")
    configured = settings.agents[name].model_dump() if name else {}
    program = AgentSettings(**configured | {"adapter": "command", "entry": "", "command": _absolute(command)})
    program = program.model_copy(update={"path": [*program.path, Path.cwd()]})
    return settings.model_copy(
        update={
            "agents": {name or DEFAULT_NAME: program},
            "server": settings.server.model_copy(update={"port": 0, "host": "127.0.0.1", "gateway_url": ""}),
        }
    )


def _absolute(command: list[str]) -> list[str]:
    """Return the command with the program, and arguments that are files here, by their whole paths.

    The program is executed in a folder of its own, where relative names would mean something else.
    """
    program = shutil.which(command[0])
    if program is None:
        raise AirsideError(Code.MISCONFIGURED, f"there is no program {command[0]!r}", advice="Check the PATH.")
    return [str(Path(program).absolute()), *[_file(argument) for argument in command[1:]]]


def _file(argument: str) -> str:
    return str(Path(argument).absolute()) if not argument.startswith("-") and Path(argument).exists() else argument


async def _govern(settings: Settings, agent: str, shown: Progress, cli: str) -> dict[str, Any]:
    """Return what came of the program; `cli` is how a person in another terminal calls the CLI of this installation."""
    forbid_dumps()
    async with serving(settings, frozenset(Role)) as (plane, address):
        await local_key(settings, plane)
        submitted = await plane.services.runs.submit(Submission(tenant_id=settings.tenant, agent=agent, input=b"null"))
        try:
            async for event in plane.services.runs.follow(settings.tenant, submitted.run_id):
                state = str(event.body["state"])
                shown.update(f"{submitted.run_id} {standing(state, f'{cli} --url {address.url}')}")
                if state == "held":
                    break
        except asyncio.CancelledError:
            await plane.services.runs.cancel(settings.tenant, submitted.run_id, "command line")
            raise
        return await _told(plane, settings.tenant, submitted.run_id)


async def _told(plane: Plane, tenant_id: str, run_id: str) -> dict[str, Any]:
    """Return how the run stands, what it produced, its calls and its budget."""
    run_ = await plane.services.runs.get(tenant_id, run_id)
    result = await plane.services.runs.answer(tenant_id, run_id)
    readings = Readings(plane.database, plane.services.allowances)
    path = await readings.path(run_)
    calls, more = await readings.calls(run_, "", 200)
    return run_.public() | {
        "result": None if result is None else json.loads(result),
        "budget": path[-1] if path else None,
        "calls": calls,
        "more_calls": bool(more),
    }


def _say_calls(calls: list[dict[str, Any]]) -> None:
    for call in calls:
        why = f" {call['code']}" if call["code"] else ""
        cost = f"{call['tokens']} tokens, ${dollars(call['cost_usd'])}"
        say(f"  {call['kind']} {call['name']}: {call['state']}{why}, {cost}")
