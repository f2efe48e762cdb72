"""`airside`: the command line and its one error boundary. Each command group is a file, imported when asked for."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from airside.cli.exits import Exit, of_code
from airside.cli.output import say, show_error
from airside.cli.session import URL_VARIABLE, start
from airside.core.errors import AirsideError, Code

NAME = "airside"


class Place(NamedTuple):
    """Where a command is: its module, whose `app` it is, and what the overview says of it."""

    module: str
    help: str


COMMANDS = {
    "up": Place("airside.cli.up", "Start airside: gateways, management API and worker in one process."),
    "serve": Place("airside.cli.serve", "Start one role in a process of its own, to scale apart on Postgres."),
    "demo": Place("airside.cli.demo.command", "Run a shop's support agent through everything that can happen."),
    "submit": Place("airside.cli.submit", "Give an agent a task."),
    "run": Place("airside.cli.run", "Run any program with its model calls and tool calls governed."),
    "runs": Place("airside.cli.runs", "Look at runs, follow them, cancel them, resolve held ones."),
    "approvals": Place("airside.cli.approvals", "List, show, approve (edited if need be) and deny proposed calls."),
    "kill": Place("airside.cli.kill", "Stop a run, an agent, a tool, the tenant or everything, at once."),
    "policy": Place("airside.cli.policy", "Prove, compare, test, replay and explain rules; tell the worst case."),
    "breakers": Place("airside.cli.breakers", "See what is switched off because it fails; switch it by hand."),
    "budget": Place("airside.cli.budget", "Read and set what may be spent; tell what runs have cost."),
    "batch": Place("airside.cli.batch", "Hand many questions to a provider at once, for less, answered within a day."),
    "cache": Place("airside.cli.cache", "See what caches save, why an answer would be given again; clear them."),
    "plan": Place("airside.cli.plan", "See what runs have planned, check plans, mine them from runs."),
    "routing": Place("airside.cli.routing", "Say how good answers were, learn from it, see what routing saves."),
    "drill": Place("airside.cli.drill.command", "See whether your limits contain runaway cost, overflow, outages."),
    "secrets": Place("airside.cli.secrets", "See which secrets are configured and can be had; write, rotate them."),
    "guard": Place("airside.cli.guard", "See what guards find in a text; test and measure them."),
    "fsck": Place("airside.cli.fsck", "Check the whole database."),
    "tools": Place("airside.cli.tools", "See which tools there are, draft what they do, check what was confirmed."),
    "keys": Place("airside.cli.keys", "Make, list and revoke API keys."),
}
"""Serving needs a hundred times what asking needs, so a command imports only its own module."""


class Commands(TyperGroup):
    """The commands of COMMANDS."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        """Return a command, imported now, or None."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = get_command(import_module(place.module).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Write the overview without importing every command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])


app = typer.Typer(
    name=NAME,
    cls=Commands,
    help="Take an AI agent to production: every model call and every tool call passes one gateway and one journal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="configuration file; else AIRSIDE_CONFIG, else ./airside.yaml")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar=URL_VARIABLE, help="address of airside; else the installation on this machine")
    ] = "",
) -> None:
    """Take an AI agent to production. The API key is taken from AIRSIDE_API_KEY, else from the installation."""
    context.obj = start(config, url)


def main() -> None:
    """Run the command line. A failure is one line with advice and a documented exit code, never a traceback."""
    in_json = "--json" in sys.argv[1:]
    try:
        sys.exit(get_command(app)(prog_name=NAME, standalone_mode=False))
    except TyperException as error:
        _show_misuse(error, in_json=in_json)
        sys.exit(Exit.USAGE)
    except AirsideError as error:
        show_error(error, in_json=in_json)
        sys.exit(of_code(error.code))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(Exit.OK)
    except Exception as error:  # noqa: BLE001 - the last boundary: a person gets a line, not a traceback
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        fault = f"airside itself failed: {type(error).__name__} at {where}"
        show_error(AirsideError(Code.INTERNAL, fault, advice="Please report this."), in_json=in_json)
        sys.exit(Exit.INTERNAL)


def _show_misuse(error: Any, *, in_json: bool) -> None:
    """Say what is wrong with the command line and where its help is; a group without a command shows that help."""
    message = error.format_message().strip()
    if "\n" in message:
        say(message)
        return
    path = error.ctx.command_path if getattr(error, "ctx", None) else NAME
    message = message.replace("Value error, ", "")
    show_error(AirsideError(Code.INVALID_REQUEST, message, advice=f"See `{path} --help`."), in_json=in_json)
