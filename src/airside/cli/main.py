"""`airside`: the command line, assembled from one file per command group, and its one error boundary."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from airside.cli import approvals, budget, fsck, keys, kill, run, runs, serve, submit
from airside.cli.exits import Exit, of_code
from airside.cli.output import say, show_error
from airside.cli.session import URL_VARIABLE, start
from airside.core.errors import AirsideError

app = typer.Typer(
    name="airside",
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
    """Read what all commands share. The API key is taken from AIRSIDE_API_KEY, else from the installation."""
    context.obj = start(config, url)


app.command("up")(serve.up)
app.add_typer(serve.app, name="serve")
app.command("submit")(submit.submit)
app.command("run", context_settings={"allow_interspersed_args": False})(run.run)
app.add_typer(runs.app, name="runs")
app.add_typer(approvals.app, name="approvals")
app.command("kill")(kill.kill)
app.add_typer(budget.app, name="budget")
app.command("fsck")(fsck.fsck)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line. A failure is one line with advice and a documented exit code, never a traceback."""
    try:
        app()
    except AirsideError as error:
        show_error(error)
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
        say(f"error [internal]: airside itself failed: {type(error).__name__} at {where}. Please report this.")
        sys.exit(Exit.INTERNAL)
